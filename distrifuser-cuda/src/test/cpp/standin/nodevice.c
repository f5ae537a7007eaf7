// What a driver's library without a device answers; everything else says "no device".
int cuDriverGetVersion(int* version) {
  *version = 13010;
  return 0;
}

int cuDeviceGetCount(int* count) {
  *count = 0;
  return 0;
}

int cuGetErrorName(int error, const char** name) {
  *name = error == 0 ? "CUDA_SUCCESS" : "CUDA_ERROR_NO_DEVICE";
  return 0;
}

int cuGetErrorString(int error, const char** text) {
  *text = error == 0 ? "no error" : "no CUDA-capable device is detected";
  return 0;
}

// What cuDNN looks up and JavaCPP's bindings don't import. Weak: they may some day.
#define NO_DEVICE(name) \
  __attribute__((weak)) int name(void) { return 100; }

NO_DEVICE(cuCtxPopCurrent)
NO_DEVICE(cuCtxPushCurrent)
NO_DEVICE(cuLinkCreate)
NO_DEVICE(cuLinkAddData)
NO_DEVICE(cuLinkComplete)
NO_DEVICE(cuLinkDestroy)
