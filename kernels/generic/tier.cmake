set(tier_architecture any)
set(tier_flags)
set(tier_probe [[
int probe() { return 0; }
]])
