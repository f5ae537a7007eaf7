// For processes that know nothing of stand-ins: what Standin.java orders through functions they order through variables.
#include "device.hpp"

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

extern "C" {
int standin_use_emulation(const char* path);
void standin_signature(const char* kernel, const char* kinds);
void standin_quick(int on);
void standin_reset();
void standin_refuse_launch(long n);
void standin_fail_launch(long n);
const char* standin_reports();
}

namespace {

bool ordered = false;

constexpr int MISUSED = 70; // exit status

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "stand-in: %s\n", why.c_str());
  _exit(MISUSED);
}

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

// The units before this one in the library have been initialised when this runs.
__attribute__((constructor)) void order() {
  const char* emulation = variable("STANDIN_EMULATION");
  if (!emulation) return;
  ordered = true;
  if (standin_use_emulation(emulation) != 0) fail(standin_reports());
  if (const char* path = variable("STANDIN_SIGNATURES")) {
    std::ifstream file(path);
    std::string kernel, kinds;
    while (file >> kernel >> kinds) standin_signature(kernel.c_str(), kinds.c_str());
  }
  standin_reset();
  if (variable("STANDIN_QUICK")) standin_quick(1);
  if (const char* n = variable("STANDIN_REFUSE_LAUNCH")) standin_refuse_launch(std::atol(n));
  if (const char* n = variable("STANDIN_FAIL_LAUNCH")) standin_fail_launch(std::atol(n));
}

__attribute__((destructor)) void report() {
  if (!ordered) return;
  std::string reports = standin_reports();
  if (!reports.empty()) fail(reports);
}

} // namespace
