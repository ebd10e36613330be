#!/usr/bin/env python3
"""Reads the library's object files: no tier's code may be reached below that tier, and a guest exports only its API.

    check.py BUILD_DIR [--tools PREFIX] [--shared LIBRARY]

1. Symbols. A tier's objects define the global symbols <tier>[_binary|_int4|_group|_bit_weights]_kernels and, where tiers share
   them, <tier>_prepare and <tier>_epilogue, and weak ones only in namespaces of the tier's own:
   of two weak symbols with one name the linker keeps one, and a lower tier could end up in a higher one's code.
2. Instructions. No object uses an instruction beyond its tier; the portable sources use the baseline's alone.
3. Sums in registers. The inner loops of the int8 tiles of the x86 tiers keep their sums off the stack: a compiler that spills
   them costs half of the speed, and no result shows it.
4. Good guest. Nothing in the library refers to abort, exit, thread creation or exceptions; nothing allocates memory but the
   overload of Gemm::run that says so; a shared library exports narrow's functions and nothing else.
"""
import argparse
import pathlib
import re
import subprocess
import sys

VEX = "VEX (AVX)"
EVEX = "EVEX (AVX-512)"
DOT_X86 = re.compile(r"vpdp\w*")
# What x86 processors have beyond AVX-512 F, CD, BW, DQ, VL and VNNI: VPOPCNTDQ and BITALG, VBMI and VBMI2, IFMA, BF16, FP16,
# vectors of GFNI, AES and carry-less products, and what only Xeon Phi or Tiger Lake had.
EXTENSIONS_X86 = re.compile(r"vpopcnt\w+|vpshufbitqmb|vperm([it]2)?b|vpmultishiftqb|vp(compress|expand)[bw]|vpsh[lr]dv?[wdq]|"
                            r"vpmadd52[lh]uq|vdpbf16ps|vcvtne\w*bf16|v\w+[ps]hx?|vcvt[ps]h2\w+|vmovw|vgf2p8\w+|vaes\w+|"
                            r"vpclmul\w+|vexp2\w+|vr(cp|sqrt)28\w+|v4f\w+|vp4dp\w+|vp2intersect[dq]")
NEON_DOT = re.compile(r"[su]dot")
NEON_MATRIX = re.compile(r"(us|su|s|u)mmla|usdot|sudot")
SVE = re.compile(r"whilel\w+|ptrue|cnt[bhwd]|rdvl")

# What each set of objects may not contain: an encoding, or a pattern that a mnemonic matches.
FORBIDDEN = {
    "core": [VEX, EVEX, NEON_DOT, NEON_MATRIX, SVE],
    "generic": [VEX, EVEX, NEON_DOT, NEON_MATRIX, SVE],
    "avx2": [EVEX, DOT_X86, EXTENSIONS_X86],
    "avxvnni": [EVEX, EXTENSIONS_X86],
    "avx512": [DOT_X86, EXTENSIONS_X86],
    "avx512vnni": [EXTENSIONS_X86],
    "neon": [NEON_DOT, NEON_MATRIX, SVE],
    "neon_dotprod": [NEON_MATRIX, SVE],
    "neon_i8mm": [SVE],
}
# Rows that need more than their tier, and that the registry passes over where the processor lacks it: (object, instruction).
BEYOND_THE_TIER = {("avx512vnni", "binary.cpp.o"): re.compile(r"vpopcntd")}
# F16C's two conversions look like FP16's, and every x86 tier may use them.
F16C = {"vcvtps2ph", "vcvtph2ps"}

UNWANTED = re.compile(r"abort|_?exit|_Exit|quick_exit|pthread_create|__cxa_throw|_ZSt9terminatev|__assert_fail|"
                      r"printf|puts|putchar")
ALLOCATION = re.compile(r"[mc]alloc|realloc|\w*aligned?_alloc|posix_memalign|p?valloc|strn?dup|mmap(64)?|s?brk|_Zn[wa]\w+")
# Gemm::run(const GemmArgs&, const Parallel&), "allocating the scratch memory for the duration of the call".
MAY_ALLOCATE = "_ZNK6narrow4Gemm3runERKNS_8GemmArgsERKNS_8ParallelE"

LEGACY_PREFIXES = {"26", "2e", "36", "3e", "64", "65", "67"}
DISASSEMBLY = re.compile(r"^\s*[0-9a-f]+:\t([0-9a-f ]+?)\s*\t(\S+)")


class Checks:
    def __init__(self, tools):
        self.tools = tools
        self.passed = 0
        self.failed = 0

    def tool(self, name, *arguments):
        return subprocess.run([self.tools + name, *map(str, arguments)], check=True, text=True, stdout=subprocess.PIPE).stdout

    def report(self, what, problems):
        if problems:
            self.failed += 1
            print(f"FAILED  {what}")
            for problem in sorted(problems)[:10]:
                print(f"        {problem}")
            if len(problems) > 10:
                print(f"        and {len(problems) - 10} more")
        else:
            self.passed += 1
            print(f"ok      {what}")

    def symbols(self, *arguments):
        """(type, name) of each symbol that nm lists, names mangled and without a version."""
        for line in self.tool("nm", *arguments).splitlines():
            fields = line.split()
            if len(fields) >= 2 and len(fields[-2]) == 1:
                yield fields[-2], fields[-1].split("@")[0]


def mangled(name):
    return f"{len(name)}{name}"


def symbol_problems(checks, tier, objects):
    tables = {f"_ZN6narrow{mangled(tier + part)}Ev"
              for part in ("_kernels", "_binary_kernels", "_int4_kernels", "_group_kernels", "_bit_weights_kernels")}
    shared = tuple(f"_ZN6narrow{mangled(tier + part)}E" for part in ("_prepare", "_epilogue"))  # with tiers above it
    own = (mangled(f"narrow_xsimd_{tier}"), f"6narrow{mangled(tier)}")
    problems = set()
    exports = set()
    for path in objects:
        for kind, name in checks.symbols("--defined-only", path):
            if kind in "VWu":
                if not any(namespace in name for namespace in own):
                    problems.add(f"weak symbol {name} in {path.name}")
            elif kind.isupper():
                exports |= {name} & tables
                if name not in tables and not name.startswith(shared):
                    problems.add(f"global symbol {name} in {path.name}")
    if not exports:
        problems.add(f"none of {tables} is defined")
    return problems


def encoding(code):
    """VEX, EVEX or None, from an x86-64 instruction's bytes: in 64-bit mode these first bytes mean nothing else."""
    for byte in code.split():
        if byte not in LEGACY_PREFIXES:
            return {"c4": VEX, "c5": VEX, "62": EVEX}.get(byte)
    return None


def instruction_problems(checks, tier, objects, x86):
    problems = set()
    for path in objects:
        beyond = BEYOND_THE_TIER.get((tier, path.name))
        for line in checks.tool("objdump", "-d", "-w", path).splitlines():
            match = DISASSEMBLY.match(line)
            if not match:
                continue
            code, mnemonic = match.groups()
            if beyond and beyond.fullmatch(mnemonic):
                continue
            form = encoding(code) if x86 else None
            for forbidden in FORBIDDEN[tier]:
                if forbidden == form:
                    problems.add(f"{form} instruction {mnemonic} in {path.name}")
                elif not isinstance(forbidden, str) and forbidden.fullmatch(mnemonic) and mnemonic not in F16C:
                    problems.add(f"{mnemonic} in {path.name}")
    return problems


# The multiplication that the int8 tiles of a tier consist of, and vector registers on the stack.
DOTS = {"avx2": "vpmaddwd", "avxvnni": "vpdpbusd", "avx512": "vpmaddwd", "avx512vnni": "vpdpbusd"}
SPILL = re.compile(r"%[xyz]mm.*\(%r[sb]p|\(%r[sb]p.*%[xyz]mm")
SPILLS_ALLOWED = 1 / 8  # of a loop's instructions: tiles of one panel may lack a register, lost accumulators are a quarter


def spill_problems(checks, tier, path):
    """Looks at each tile's loop with the most multiplications."""
    problems = set()
    tiles = 0
    for function in checks.tool("objdump", "-d", "-w", "-C", "--no-show-raw-insn", path).split("\n\n"):
        name = re.search(r"tile<.*::(Int8, \d+, \d+, false, (?:true|false))>", function.split("\n")[0] or function.split("\n")[1])
        if not name:
            continue
        lines = re.findall(r"^\s*([0-9a-f]+):\t(.*)$", function, re.M)
        loop = []
        for at, text in lines:
            jump = re.match(r"j\w+\s+([0-9a-f]+)", text)
            if jump and int(jump.group(1), 16) < int(at, 16):
                body = [t for a, t in lines if int(jump.group(1), 16) <= int(a, 16) <= int(at, 16)]
                loop = max(loop, body, key=lambda b: sum(DOTS[tier] in t for t in b))
        tiles += 1
        spills = sum(bool(SPILL.search(text)) for text in loop)
        if not loop or spills > SPILLS_ALLOWED * len(loop):
            problems.add(f"tile {name.group(1)}: {spills} vectors on the stack in its loop of {len(loop)} instructions")
    return problems if tiles else {"no tile found"}


def allocating_functions(checks, path):
    """Functions of an object, as the linker knows them, that refer to something that allocates memory."""
    function = ""
    for line in checks.tool("objdump", "-d", "-r", "-w", path).splitlines():
        if match := re.match(r"[0-9a-f]+ <([^>]+)>:$", line):
            function = match.group(1).split(".")[0]  # with what the compiler split off as cold
        elif match := re.search(r"\sR_\w+\s+(\w+)", line):
            if ALLOCATION.fullmatch(match.group(1)):
                yield function


def allocation_problems(checks, undefined):
    """`undefined` holds what each object refers to: (symbol, path)."""
    problems = set()
    for name, path in undefined:
        if ALLOCATION.fullmatch(name):
            functions = set(allocating_functions(checks, path)) or {"no function"}
            problems |= {f"{function} in {path.name} refers to {name}" for function in functions - {MAY_ALLOCATE}}
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--tools", default="", help="prefix of nm and objdump, as in aarch64-linux-gnu-")
    parser.add_argument("--shared", type=pathlib.Path, help="a shared narrow whose exports are checked")
    options = parser.parse_args()
    checks = Checks(options.tools)

    sets = {}
    for folder in sorted((options.build / "CMakeFiles").glob("narrow_*.dir")):
        objects = sorted(folder.rglob("*.o"))
        if objects:
            sets[folder.name[len("narrow_"):-len(".dir")]] = objects
    if "core" not in sets or "generic" not in sets:
        sys.exit(f"{options.build} holds no build of the library")

    everything = [path for objects in sets.values() for path in objects]
    x86 = "x86-64" in checks.tool("objdump", "-f", everything[0])
    for name, objects in sets.items():
        if name not in FORBIDDEN:
            checks.report(f"{name}: known to this check", {"its forbidden instructions are not listed in FORBIDDEN"})
            continue
        if name != "core":
            checks.report(f"{name}: exports its table alone", symbol_problems(checks, name, objects))
        checks.report(f"{name}: instructions of its tier alone", instruction_problems(checks, name, objects, x86))
        for path in objects:
            if name in DOTS and path.name == "int8.cpp.o":
                checks.report(f"{name}: int8 sums in registers", spill_problems(checks, name, path))

    undefined = {(name, path) for path in everything for kind, name in checks.symbols("--undefined-only", path)}
    checks.report("library: never ends the process, throws or starts a thread",
                  {f"{name} in {path.name}" for name, path in undefined if UNWANTED.fullmatch(name)})
    checks.report("library: allocates where it says so alone", allocation_problems(checks, undefined))

    if options.shared:
        exported = {name for kind, name in checks.symbols("-D", "--defined-only", options.shared) if kind.isupper()}
        foreign = {name for name in exported if not re.match(r"_ZNK?6narrow", name)}
        tables = {name for name in exported if re.fullmatch(r"_ZN6narrow\d+\w+_(kernelsEv|prepareE\w*|epilogueE\w*)", name)}
        checks.report("shared library: exports narrow's API alone",
                      foreign | tables | (set() if exported else {"exports nothing"}))

    print(f"{checks.passed} of {checks.passed + checks.failed} hold")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
