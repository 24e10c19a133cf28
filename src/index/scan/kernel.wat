;; The scan of a vector table: one query against all rows that follow one another in this module's own memory.
;;
;;   scores[i] = f32(queryScale · scale[i] · Σ query[d] · row[i,d])
;;
;; A row is int8 values and, right after them, its scale (float32, nowhere aligned). A row is read 16 values at a time, the
;; last step past its values where those are no multiple of 16: the query is zeros there, so what is read counts nothing.
;; The sum is exact: a product is at most 2^14 and there are at most 2^16 of them. Scale and sum are multiplied in float64
;; and rounded once, so that scores are the same on every machine.
;;
;; One row after the other is what the processor's prefetch follows; two or four rows at a time took more than twice as long.
(module
  (memory (export "memory") 1)
  (func (export "scan")
    (param $query i32)       ;; where the query is: int16, padded with zeros to a multiple of 16
    (param $queryScale f64)
    (param $row i32)         ;; where the first row is
    (param $rows i32)        ;; how many there are, at least 1
    (param $dimensions i32)
    (param $scores i32)      ;; where the scores go: float32
    (local $queryEnd i32)
    (local $q i32)
    (local $v i32)
    (local $low v128)
    (local $high v128)
    (local.set $queryEnd
      (i32.add
        (local.get $query)
        (i32.shl (i32.and (i32.add (local.get $dimensions) (i32.const 15)) (i32.const -16)) (i32.const 1))))
    (loop $nextRow
      (local.set $q (local.get $query))
      (local.set $v (local.get $row))
      (local.set $low (v128.const i32x4 0 0 0 0))
      (local.set $high (v128.const i32x4 0 0 0 0))
      ;; Two sums, so that neither waits for itself.
      (loop $nextValues
        (local.set $low
          (i32x4.add
            (local.get $low)
            (i32x4.dot_i16x8_s (v128.load8x8_s (local.get $v)) (v128.load (local.get $q)))))
        (local.set $high
          (i32x4.add
            (local.get $high)
            (i32x4.dot_i16x8_s (v128.load8x8_s offset=8 (local.get $v)) (v128.load offset=16 (local.get $q)))))
        (local.set $v (i32.add (local.get $v) (i32.const 16)))
        (local.set $q (i32.add (local.get $q) (i32.const 32)))
        (br_if $nextValues (i32.ne (local.get $q) (local.get $queryEnd))))
      (local.set $low (i32x4.add (local.get $low) (local.get $high)))
      (f32.store
        (local.get $scores)
        (f32.demote_f64
          (f64.mul
            (f64.mul
              (local.get $queryScale)
              (f64.promote_f32 (f32.load align=1 (i32.add (local.get $row) (local.get $dimensions)))))
            (f64.convert_i32_s
              (i32.add
                (i32.add (i32x4.extract_lane 0 (local.get $low)) (i32x4.extract_lane 1 (local.get $low)))
                (i32.add (i32x4.extract_lane 2 (local.get $low)) (i32x4.extract_lane 3 (local.get $low))))))))
      (local.set $scores (i32.add (local.get $scores) (i32.const 4)))
      (local.set $row (i32.add (i32.add (local.get $row) (local.get $dimensions)) (i32.const 4)))
      (br_if $nextRow (local.tee $rows (i32.sub (local.get $rows) (i32.const 1)))))))
