// Runs kernels on cases from a file and writes what they computed: runner CASES RESULTS. All numbers little-endian.
//
// CASES: u32 count; each case: string kernel, u32 grid, u32 arguments; each argument: u32 kind, u32 offset, u32 bytes, content. Kinds: 0 a
// value; 1 memory, to which the argument points `offset` bytes behind its start; 2 null; 3 the same pointer as argument number `offset`.
// RESULTS: for each memory argument of each case, in order: u32 bytes, content after the launch.
// Strings are u32 length and bytes. Memory is allocated for each case with exactly its size, so that AddressSanitizer sees a step beyond it. Each
// case runs twice, the second time with the threads of a block in the opposite order, and must give the same bytes.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" int emu_launch(const char* name, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, size_t shared, void** params);
extern "C" const char* emu_failure();
extern "C" unsigned emu_threads(const char* name);
extern "C" void emu_backwards(int on);

namespace {

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "runner: %s\n", what.c_str());
  std::exit(1);
}

void read(std::FILE* f, void* to, size_t n) {
  if (n != 0 && std::fread(to, 1, n, f) != n) {
    fail("the file of cases ends early");
  }
}

uint32_t readNumber(std::FILE* f) {
  uint32_t n;
  read(f, &n, sizeof(n));
  return n;
}

struct Argument {
  uint32_t kind;
  uint32_t offset;
  std::vector<unsigned char> content;
};

// Memory of exactly this size.
struct Memory {
  unsigned char* at = nullptr;
  explicit Memory(const std::vector<unsigned char>& content) {
    if (posix_memalign(reinterpret_cast<void**>(&at), 16, content.size()) != 0) {
      fail("out of memory");
    }
    if (!content.empty()) {
      std::memcpy(at, content.data(), content.size());
    }
  }
  Memory(const Memory&) = delete;
  Memory(Memory&& other) : at(other.at) { other.at = nullptr; }
  ~Memory() { std::free(at); }
};

std::vector<Memory> run(const std::string& kernel, uint32_t grid, const std::vector<Argument>& arguments) {
  std::vector<Memory> memory;
  std::vector<uint64_t> values(arguments.size());
  std::vector<void*> params;
  for (size_t i = 0; i < arguments.size(); i++) {
    const Argument& a = arguments[i];
    if (a.kind == 1) {
      memory.emplace_back(a.content);
      values[i] = reinterpret_cast<uint64_t>(memory.back().at) + a.offset;
    } else if (a.kind == 3) {
      values[i] = values.at(a.offset);
    } else if (a.kind == 0) {
      std::memcpy(&values[i], a.content.data(), a.content.size());
    }
    params.push_back(&values[i]);
  }
  if (emu_launch(kernel.c_str(), grid, 1, 1, emu_threads(kernel.c_str()), 1, 1, 0, params.data()) != 0) {
    fail(kernel + ": " + emu_failure());
  }
  return memory;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fail("runner CASES RESULTS");
  }
  std::FILE* cases = std::fopen(argv[1], "rb");
  std::FILE* results = std::fopen(argv[2], "wb");
  if (cases == nullptr || results == nullptr) {
    fail("cannot open the files");
  }
  const uint32_t count = readNumber(cases);
  for (uint32_t c = 0; c < count; c++) {
    std::string kernel(readNumber(cases), ' ');
    read(cases, kernel.data(), kernel.size());
    const uint32_t grid = readNumber(cases);
    std::vector<Argument> arguments(readNumber(cases));
    for (Argument& a : arguments) {
      a.kind = readNumber(cases);
      a.offset = readNumber(cases);
      a.content.resize(readNumber(cases));
      read(cases, a.content.data(), a.content.size());
    }
    emu_backwards(0);
    const std::vector<Memory> forwards = run(kernel, grid, arguments);
    emu_backwards(1);
    const std::vector<Memory> backwards = run(kernel, grid, arguments);
    size_t m = 0;
    for (const Argument& a : arguments) {
      if (a.kind == 1) {
        const uint32_t bytes = static_cast<uint32_t>(a.content.size());
        if (bytes != 0 && std::memcmp(forwards[m].at, backwards[m].at, bytes) != 0) {
          fail(kernel + ", case " + std::to_string(c) + ": the result depends on the order in which threads run");
        }
        if (std::fwrite(&bytes, sizeof(bytes), 1, results) != 1 || std::fwrite(forwards[m].at, 1, bytes, results) != bytes) {
          fail("cannot write the results");
        }
        m++;
      }
    }
  }
  std::fclose(cases);
  return std::fclose(results) == 0 ? 0 : 1;
}
