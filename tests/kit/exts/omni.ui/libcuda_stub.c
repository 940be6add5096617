/* On machines without NVIDIA's driver omni.ui (ovui) cannot be loaded, since it is linked with libcuda.so.1: this library
   goes by that name, and says to every call that there is no device (100). */
#define NO_DEVICE(name) int name(void) { return 100; }
NO_DEVICE(cuInit) NO_DEVICE(cuDeviceGet) NO_DEVICE(cuCtxCreate_v2) NO_DEVICE(cuCtxDestroy_v2)
NO_DEVICE(cuDestroyExternalMemory) NO_DEVICE(cuExternalMemoryGetMappedBuffer) NO_DEVICE(cuImportExternalMemory)
NO_DEVICE(cuMemcpyDtoH_v2) NO_DEVICE(cuGetProcAddress) NO_DEVICE(cuGetProcAddress_v2) NO_DEVICE(cuDriverGetVersion)
