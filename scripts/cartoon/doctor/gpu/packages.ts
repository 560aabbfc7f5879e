/** A library file of a vendor's package and the name that programs ask for. */
export interface VendorFile {
  /** Path inside the package, which is a zip. */
  path: string;
  name: string;
}

export interface VendorPackage {
  name: string;
  version: string;
  /** Path below the origin of the Python index's files, the same on its mirrors. */
  path: string;
  sha256: string;
  bytes: number;
  files: readonly VendorFile[];
}

const capi = (file: string, name = file): VendorFile => ({ path: `onnxruntime/capi/${file}`, name });
const cuda = (...names: string[]): VendorFile[] =>
  names.map((name) => ({ path: `nvidia/cu13/lib/${name}`, name }));
const cudnn = (...parts: string[]): VendorFile[] =>
  parts.map((part) => `libcudnn${part}.so.9`).map((name) => ({ path: `nvidia/cudnn/lib/${name}`, name }));

/** ONNX Runtime's CUDA provider. It must be of exactly the version of onnxruntime-node, whose library it replaces. */
export const PROVIDER: VendorPackage = {
  name: "onnxruntime-gpu",
  version: "1.30.0",
  path: "packages/9e/80/d96143329dbe925d434b016c890a5caa785fac8e14a1570e5d6818b63545/onnxruntime_gpu-1.30.0-cp312-cp312-manylinux_2_28_x86_64.whl",
  sha256: "6acc0f4b3d5ac5f2984432faa59dd8fcce6775f8b43a7140afa0f322c7a703b1",
  bytes: 246_685_715,
  files: [
    capi("libonnxruntime_providers_shared.so"),
    capi("libonnxruntime_providers_cuda.so"),
    capi("libonnxruntime.so.1.30.0", "libonnxruntime.so.1"),
  ],
};

/** CUDA 13 and cuDNN 9, in the versions that the figures of this repository were measured with. */
export const CUDA_PACKAGES: readonly VendorPackage[] = [
  {
    name: "nvidia-cuda-runtime",
    version: "13.0.96",
    path: "packages/2e/24/d1558f3b68b1d26e706813b1d10aa1d785e4698c425af8db8edc3dced472/nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    bytes: 2_243_632,
    files: cuda("libcudart.so.13"),
  },
  {
    name: "nvidia-cublas",
    version: "13.1.0.3",
    path: "packages/e7/44/423ac00af4dd95a5aeb27207e2c0d9b7118702149bf4704c3ddb55bb7429/nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl",
    sha256: "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
    bytes: 423_133_236,
    files: cuda("libcublas.so.13", "libcublasLt.so.13"),
  },
  {
    name: "nvidia-curand",
    version: "10.4.0.35",
    path: "packages/a5/9f/be0a41ca4a4917abf5cb9ae0daff1a6060cc5de950aec0396de9f3b52bc5/nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
    sha256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
    bytes: 59_544_258,
    files: cuda("libcurand.so.10"),
  },
  {
    name: "nvidia-cuda-nvrtc",
    version: "13.0.88",
    path: "packages/c3/68/483a78f5e8f31b08fb1bb671559968c0ca3a065ac7acabfc7cee55214fd6/nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
    sha256: "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
    bytes: 90_215_200,
    files: cuda("libnvrtc.so.13", "libnvrtc-builtins.so.13.0"),
  },
  {
    name: "nvidia-cudnn-cu13",
    version: "9.19.0.56",
    path: "packages/a3/22/0b4b932655d17a6da1b92fa92ab12844b053bb2ac2475e179ba6f043da1e/nvidia_cudnn_cu13-9.19.0.56-py3-none-manylinux_2_27_x86_64.whl",
    sha256: "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
    bytes: 366_066_321,
    files: cudnn(
      ...["", "_graph", "_ops", "_cnn", "_adv", "_heuristic"],
      ...["_engines_precompiled", "_engines_runtime_compiled"],
    ),
  },
];

/** Loaded by name while a graph runs, so that no library lists them among those it needs. */
export const LOADED_LATER = ["libcudnn.so.9", "libnvrtc.so.13"];
