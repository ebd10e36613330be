// narrow: low-bit kernels for CPUs. The whole public API.
#pragma once

#include "narrow/bits.h"
#include "narrow/conv.h"
#include "narrow/gemm.h"
#include "narrow/isa.h"
#include "narrow/parallel.h"
#include "narrow/status.h"
#include "narrow/types.h"
#include "narrow/weights.h"
#include "narrow/xnor.h"
