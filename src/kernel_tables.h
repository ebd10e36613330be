// What the files of kernels export: to each other, and to the registry.
#pragma once

#include "src/kernel.h"

namespace narrow {

/// What a file of kernels exports: its rows, best first.
struct KernelTable {
  const Kernel* rows;
  int count;
};

/// The arithmetic behind the sums needs no more than a kind of vector register, so the tiers that share one share it: compiled
/// once in the lowest of them, instead of in every tier's object.
#define NARROW_DECLARE_EPILOGUES(tier)                                                                             \
  void tier##_prepare(const EpilogueSpec& spec, const ColumnSource& source, StripColumns strip, Columns* columns); \
  EpilogueFn tier##_epilogue(const EpilogueSpec& spec)
NARROW_DECLARE_EPILOGUES(generic);
NARROW_DECLARE_EPILOGUES(avx2);
NARROW_DECLARE_EPILOGUES(avx512);
NARROW_DECLARE_EPILOGUES(neon);
#undef NARROW_DECLARE_EPILOGUES

KernelTable generic_kernels();
KernelTable avx2_kernels();
KernelTable avxvnni_kernels();
KernelTable avx512_kernels();
KernelTable avx512vnni_kernels();
KernelTable neon_kernels();
KernelTable neon_dotprod_kernels();
KernelTable neon_i8mm_kernels();

KernelTable generic_binary_kernels();
KernelTable avx2_binary_kernels();
KernelTable avx512_binary_kernels();
KernelTable avx512vnni_binary_kernels();
KernelTable neon_binary_kernels();
KernelTable neon_dotprod_binary_kernels();
// Kernels for weights of 4 bits.
KernelTable generic_int4_kernels();
KernelTable avx2_int4_kernels();
KernelTable avxvnni_int4_kernels();
KernelTable avx512_int4_kernels();
KernelTable avx512vnni_int4_kernels();
KernelTable neon_int4_kernels();
KernelTable neon_dotprod_int4_kernels();
// Kernels for weights of bits and A of bytes.
KernelTable generic_bit_weights_kernels();
KernelTable avx2_bit_weights_kernels();
KernelTable avxvnni_bit_weights_kernels();
KernelTable avx512_bit_weights_kernels();
KernelTable avx512vnni_bit_weights_kernels();
KernelTable neon_bit_weights_kernels();
KernelTable neon_dotprod_bit_weights_kernels();
// Kernels for weights with groups of k.
KernelTable generic_group_kernels();
KernelTable avx2_group_kernels();
KernelTable avxvnni_group_kernels();
KernelTable avx512_group_kernels();
KernelTable avx512vnni_group_kernels();
KernelTable neon_group_kernels();
KernelTable neon_dotprod_group_kernels();

}  // namespace narrow
