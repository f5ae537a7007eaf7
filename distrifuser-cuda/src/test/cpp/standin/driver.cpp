// libcuda.so.1: modules and launches. A module is a real cubin, made by the real compiler; its kernels' names are looked for in it.
#include "device.hpp"

#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>

using namespace standin;

namespace {

struct Module {
  std::string image;
  std::set<std::string> names; // of its functions, which their handles point to
  std::set<Stream*> streams; // that its functions were launched for
};

std::mutex guard;
std::map<const char*, Module*> owners; // of functions

size_t imageSize(const unsigned char* p) {
  if (std::memcmp(p, "\177ELF", 4) != 0) {
    return 0;
  }
  uint64_t offset;
  uint16_t size;
  uint16_t count;
  std::memcpy(&offset, p + 40, 8);
  std::memcpy(&size, p + 58, 2);
  std::memcpy(&count, p + 60, 2);
  return offset + static_cast<size_t>(size) * count;
}

} // namespace

EXPORT int cuInit(unsigned) { return deviceCount() == 0 ? NO_DEVICE : SUCCESS; }

EXPORT int cuDriverGetVersion(int* version) {
  *version = driverVersion;
  return SUCCESS;
}

EXPORT int cuDeviceGetCount(int* count) {
  *count = deviceCount();
  return SUCCESS;
}

EXPORT int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return ordinal < deviceCount() ? SUCCESS : INVALID_DEVICE;
}

EXPORT int cuDeviceGetName(char* name, int length, int) {
  std::strncpy(name, "stand-in for a GPU", length);
  return SUCCESS;
}

EXPORT int cuDeviceGetUuid_v2(char* uuid, int device) {
  std::memcpy(uuid, "stand-in device", 15);
  uuid[15] = static_cast<char>(device);
  return device < deviceCount() ? SUCCESS : INVALID_DEVICE;
}

EXPORT int cuGetErrorName(int error, const char** name) {
  *name = error == SUCCESS ? "CUDA_SUCCESS" : "CUDA_ERROR";
  return SUCCESS;
}

EXPORT int cuGetErrorString(int error, const char** text) {
  *text = error == SUCCESS ? "no error" : error == 701 ? "too many resources requested for launch" : "error";
  return SUCCESS;
}

EXPORT int cuModuleLoadData(Module** module, const void* image) {
  if (int e = entered()) {
    return e;
  }
  if (int e = unsafe()) {
    return e;
  }
  const size_t size = imageSize(static_cast<const unsigned char*>(image));
  if (size == 0) {
    return 200; // invalid image
  }
  *module = new Module{std::string(static_cast<const char*>(image), size), {}, {}};
  counted("modules", 1);
  return SUCCESS;
}

EXPORT int cuModuleUnload(Module* module) {
  {
    std::lock_guard<std::mutex> lock(guard);
    for (const std::string& name : module->names) {
      owners.erase(name.c_str());
    }
  }
  if (busy(module->streams)) {
    report("a module is unloaded while work is under way that may be its own");
  }
  counted("modules", -1);
  delete module;
  return SUCCESS;
}

EXPORT int cuModuleGetFunction(const char** function, Module* module, const char* name) {
  std::lock_guard<std::mutex> lock(guard);
  const std::string section = std::string(".text.") + name + '\0';
  if (module->image.find(section) == std::string::npos) {
    return NOT_FOUND;
  }
  *function = module->names.insert(name).first->c_str();
  owners[*function] = module;
  return SUCCESS;
}

EXPORT int cuLaunchKernel(const char* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                          Stream* stream, void** params, void**) {
  if (int e = entered()) {
    return e;
  }
  {
    std::lock_guard<std::mutex> lock(guard);
    auto owner = owners.find(function);
    if (owner == owners.end()) {
      report("a function is launched whose module is unloaded");
      return INVALID_HANDLE;
    }
    owner->second->streams.insert(stream);
  }
  const unsigned grid[] = {gx, gy, gz};
  const unsigned block[] = {bx, by, bz};
  return launch(stream, function, grid, block, shared, params);
}
