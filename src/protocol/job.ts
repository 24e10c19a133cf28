/** Why a request failed, as the receiver shows it: a stable code and one sentence. Travels as the response error's `data`. */
export interface JobError {
  readonly code: string;
  readonly message: string;
}
