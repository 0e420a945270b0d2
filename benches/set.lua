-- wrk: durable sets of random keys with a value of 1,000 bytes.
-- PREFIX keeps the keys of one run apart from another's.
local value = string.rep("v", 1000)
local prefix = os.getenv("BENCH_PREFIX") or "bench"

function init(args)
  math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000)
end

function request()
  local path = wrk.path .. "/" .. prefix .. "/" .. math.random(1, 1000000)
  return wrk.format("POST", path, nil, value)
end
