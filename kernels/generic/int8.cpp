// int8 in plain C++: the definition of every result, and the fallback of every machine. The same tile template as the vector
// tiers, over scalars. The further rows with odd tile shapes are never dispatched to: tests run them through the driver, so
// that no blocking or packing code can rely on what all real tiles have in common.
#include "kernels/common/gemm_kernel.h"
#include "kernels/generic/scalar.h"
#include "kernels/generic/simd.h"

namespace narrow {
namespace {

constexpr Kernel rows[] = {
    gemm_kernel<Scalar<uint8_t, Type::u8, 8, 4, 4, 2>, Simd>("gemm_u8s8_4x16x4_generic", Tier::generic, generic_prepare,
                                                             generic_epilogue, 4),
    gemm_kernel<Scalar<int8_t, Type::s8, 5, 3, 3, 3, 9>, Simd>("gemm_s8s8_3x15x3_generic", Tier::generic, generic_prepare,
                                                               generic_epilogue, 2),
    gemm_kernel<Scalar<int16_t, Type::s16, 3, 1, 7, 1>, Simd>("gemm_s16s8_7x3x1_generic", Tier::generic, generic_prepare,
                                                              generic_epilogue, 3),
};

}  // namespace

KernelTable generic_kernels() { return {rows, sizeof rows / sizeof *rows}; }

}  // namespace narrow
