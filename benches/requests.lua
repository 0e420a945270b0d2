-- What wrk asks of a server, chosen by BENCH_WHAT: get, set or page of random keys (named as
-- src/names.rs does), add to one number, or range of an etcd gateway.
--
-- BENCH_KEYS    keys to choose from, of each user
-- BENCH_BYTES   bytes of a value
-- BENCH_TOKENS  a file with a token for each user, one to a line; without it the header given to
--               wrk itself is used

local what = os.getenv("BENCH_WHAT") or "get"
local keys = tonumber(os.getenv("BENCH_KEYS") or "1000000")
local bytes = tonumber(os.getenv("BENCH_BYTES") or "1000")
local page = 100
local tokens = {}

-- Values are cut out of this at random places, so that each is fresh and none can be compressed.
local pool_bytes = 1048576
local pool

function init(args)
  math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000)
  local file = os.getenv("BENCH_TOKENS")
  if file then
    for line in io.lines(file) do
      tokens[#tokens + 1] = "Bearer " .. line
    end
  end
  if what == "set" then
    local parts = {}
    for i = 1, pool_bytes do
      parts[i] = string.char(math.random(0, 255))
    end
    pool = table.concat(parts)
  elseif what == "range" then
    -- "hot" in base64, as the gateway wants it.
    wrk.headers["Content-Type"] = "application/json"
  end
end

local function headers()
  if #tokens == 0 then
    return nil
  end
  return { Authorization = tokens[math.random(1, #tokens)] }
end

function request()
  if what == "get" then
    local key = string.format("/k/%08d", math.random(0, keys - 1))
    return wrk.format("GET", wrk.path .. key, headers())
  elseif what == "set" then
    local key = string.format("/k/%08d", math.random(0, keys - 1))
    local at = math.random(1, pool_bytes - bytes)
    return wrk.format("POST", wrk.path .. key, headers(), pool:sub(at, at + bytes - 1))
  elseif what == "page" then
    local after = string.format("/k/%08d", math.random(0, math.max(keys - page - 1, 0)))
    local path = wrk.path .. "/k/?list&limit=" .. page .. "&after=" .. after
    return wrk.format("GET", path, headers())
  elseif what == "add" then
    return wrk.format("POST", wrk.path .. "/number?add=1", headers())
  elseif what == "range" then
    return wrk.format("POST", wrk.path, nil, '{"key":"aG90"}')
  end
  error("BENCH_WHAT is none of get, set, page, add, range: " .. what)
end
