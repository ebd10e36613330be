#include "src/report.h"

#include <cstdio>

namespace narrow {

void Report::print() const noexcept {
  const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - begin_;
  std::fprintf(stderr, "narrow,%s,%lldx%lldx%lld,items:%lld,%s:%s:%s,%s,threads:%d,%.3f us\n", what_,
               static_cast<long long>(m_), static_cast<long long>(n_), static_cast<long long>(p_.real_k),
               static_cast<long long>(items_), name(p_.a), name(weights_), name(p_.spec.c), p_.kernel->name, threads_,
               elapsed.count());
}

}  // namespace narrow
