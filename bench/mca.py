"""Reports the share of the multiply rate that the inner loops of AArch64 objects reach, by llvm-mca. See mca.sh.

For each tile<...> function the innermost loop with the most multiply instructions is taken. Its share is the number of cycles that its
multiplies would take alone, on registers and independent of each other, over the cycles that the loop takes.
"""

import argparse
import pathlib
import re
import subprocess

# LLVM schedules cortex-a76 by the ports of Cortex-A57, which has one load port where the A76 has two: a lower bound.
CPUS = ("neoverse-v2", "cortex-a76")
MULTIPLY = re.compile(r"(s|u|us|su)dot|(s|u|us)mmla|(s|u)ml[as]l2?|(s|u)mull2?|ml[as]|mul")
ITERATIONS = 200


def functions(objdump, path):
    """Yields (name, [(address, text)]) for the functions of an object."""
    listing = subprocess.run(
        [objdump, "-d", "-C", "--no-show-raw-insn", path], check=True, capture_output=True, text=True
    ).stdout
    name, body = None, []
    for line in listing.splitlines():
        if head := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            if name:
                yield name, body
            name, body = head[1], []
        elif code := re.match(r"\s*([0-9a-f]+):\s+(.*?)\s*(//.*)?$", line):
            body.append((int(code[1], 16), code[2].replace("\t", " ")))
    if name:
        yield name, body


def is_multiply(text):
    words = text.split()
    return bool(MULTIPLY.fullmatch(words[0])) and words[1].startswith("v")


def inner_loop(body):
    """The instructions of the innermost loop with the most multiplies; [] where there is none."""
    loops = []
    for at, text in body:
        branch = re.match(r"(?:b\.\w+|b|cbn?z|tbn?z)\s+(?:.*,\s*)?([0-9a-f]+) <", text)
        if branch and int(branch[1], 16) <= at:
            loops.append((int(branch[1], 16), at))
    innermost = [a for a in loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in loops)]
    bodies = [[text for at, text in body if first <= at <= last] for first, last in innermost]
    return max(bodies, key=lambda loop: sum(map(is_multiply, loop)), default=[])


def cycles(mca, cpu, instructions):
    """Cycles of one turn of a loop of these instructions; None where the processor lacks one of them."""
    text = "top:\n" + "\n".join(re.sub(r"[0-9a-f]+ <.*>", "top", i) for i in instructions) + "\n"
    command = [mca, "-mtriple=aarch64", f"-mcpu={cpu}", f"-iterations={ITERATIONS}"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if "instruction requires" in done.stderr:
        return None
    total = re.search(r"Total Cycles:\s+(\d+)", done.stdout)
    if not total:
        raise SystemExit(f"{mca} -mcpu={cpu}: {done.stderr}")
    return int(total[1]) / ITERATIONS


def cycles_alone(mca, cpu, multiplies):
    """Cycles of the multiplies with sources that nothing writes, and each destination used again as late as possible."""
    # v15 and v30 are the sources: an element of 16 bits can only be taken from the lower half of the registers.
    destinations = [r for r in range(30) if r != 15]
    repeats = -(-len(destinations) // len(multiplies))
    out = []
    for i, text in enumerate(multiplies * repeats):
        operation, operands = text.split(maxsplit=1)
        suffix = [re.sub(r"^v\d+", "", o.strip()) for o in operands.split(",")]
        out.append(f"{operation} v{destinations[i % len(destinations)]}{suffix[0]}, v30{suffix[1]}, v15{suffix[2]}")
    return cycles(mca, cpu, out) / repeats


def short(name):
    name = re.sub(r"\(anonymous namespace\)::|narrow::", "", name)
    return re.sub(r"^void |\(.*$", "", name)


def size(name):
    """Rows times panels of a tile<instruction set, rows, panels, indirect, reals>; 0 of others, and of those with a true."""
    found = re.fullmatch(r"tile<Int\d, (\d+), (\d+), false, false>", name)
    return int(found[1]) * int(found[2]) if found else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mca", required=True)
    parser.add_argument("--objdump", required=True)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("objects", nargs="+", type=pathlib.Path)
    options = parser.parse_args()

    print(f"{'tier':14}{'tile (rows, panels)':24}{'multiplies':14}{'instructions':>12}" + "".join(f"{c:>26}" for c in CPUS))
    for path in options.objects:
        tiles = []
        for name, body in functions(options.objdump, path):
            loop = inner_loop(body)
            multiplies = [text for text in loop if is_multiply(text)]
            if multiplies and size(short(name)) > 0:
                tiles.append((size(short(name)), short(name), loop, multiplies))
        tiles.sort(key=lambda tile: tile[0])
        for area, name, loop, multiplies in tiles:
            if area < tiles[-1][0] and not options.all:
                continue
            shares = ""
            for cpu in CPUS:
                taken = cycles(options.mca, cpu, loop)
                if taken is None:
                    shares += f"{'lacks it':>26}"
                    continue
                share = cycles_alone(options.mca, cpu, multiplies) / taken
                shares += f"{taken:10.1f} cycles {100 * share:6.1f} %"
            kinds = "+".join(sorted({text.split()[0] for text in multiplies}))
            print(f"{path.parent.name:14}{name:24}{len(multiplies):3} {kinds:14}{len(loop):8}" + shares)


if __name__ == "__main__":
    main()
