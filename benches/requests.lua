-- What wrk asks of a server, chosen by BENCH_WHAT: get, set (POST), put or page of random keys (named as
-- src/names.rs does), add to one number, or etcd-range and etcd-put of an etcd gateway. Without it wrk asks for
-- its URL alone. The last line of the report is `RATE P99 MEDIAN`, in a second and in milliseconds.
--
-- BENCH_KEYS    keys to choose from, of each user
-- BENCH_BYTES   bytes of a value
-- BENCH_TOKENS  a file with a token for each user, one to a line; without it the header given to
--               wrk itself is used

local what = os.getenv("BENCH_WHAT") or "url"
local keys = tonumber(os.getenv("BENCH_KEYS") or "1000000")
local bytes = tonumber(os.getenv("BENCH_BYTES") or "1000")
local page = 100
local tokens = {}

-- Values are cut out of this at random places, so that each is fresh and none can be compressed.
local pool_bytes = 1048576
local pool

function random_pool(least, most)
  local parts = {}
  for i = 1, pool_bytes do
    parts[i] = string.char(math.random(least, most))
  end
  return table.concat(parts)
end

function init(args)
  math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000)
  local file = os.getenv("BENCH_TOKENS")
  if file then
    for line in io.lines(file) do
      tokens[#tokens + 1] = "Bearer " .. line
    end
  end
  if what == "set" or what == "put" then
    pool = random_pool(0, 255)
  elseif what == "etcd-put" then
    -- Letters are base64 whatever they are.
    pool = random_pool(97, 122)
  end
  if what:sub(1, 4) == "etcd" then
    wrk.headers["Content-Type"] = "application/json"
  end
end

local function headers()
  if #tokens == 0 then
    return nil
  end
  return { Authorization = tokens[math.random(1, #tokens)] }
end

local function chosen()
  if what == "get" then
    local key = string.format("/k/%08d", math.random(0, keys - 1))
    return wrk.format("GET", wrk.path .. key, headers())
  elseif what == "set" or what == "put" then
    local method = what == "set" and "POST" or "PUT"
    local key = string.format("/k/%08d", math.random(0, keys - 1))
    local at = math.random(1, pool_bytes - bytes)
    return wrk.format(method, wrk.path .. key, headers(), pool:sub(at, at + bytes - 1))
  elseif what == "page" then
    local after = string.format("/k/%08d", math.random(0, math.max(keys - page - 1, 0)))
    local path = wrk.path .. "/k/?list&limit=" .. page .. "&after=" .. after
    return wrk.format("GET", path, headers())
  elseif what == "add" then
    return wrk.format("POST", wrk.path .. "/number?add=1", headers())
  elseif what == "etcd-range" then
    -- "hot" in base64, as the gateway wants it.
    return wrk.format("POST", wrk.path .. "/range", nil, '{"key":"aG90"}')
  elseif what == "etcd-put" then
    -- Twelve digits are base64 of nine bytes; four letters are three, so a value has a byte less than ours.
    local letters = math.floor(bytes / 3) * 4
    local at = math.random(1, pool_bytes - letters)
    local key = string.format("%012d", math.random(0, keys - 1))
    local body = '{"key":"' .. key .. '","value":"' .. pool:sub(at, at + letters - 1) .. '"}'
    return wrk.format("POST", wrk.path .. "/put", nil, body)
  end
  error("BENCH_WHAT is none of get, set, put, page, add, etcd-range, etcd-put: " .. what)
end

-- Where there is no such function, wrk sends the same bytes over and over without calling back here.
if what ~= "url" then
  request = chosen
end

function done(summary, latency)
  local errors = summary.errors
  if errors.connect + errors.read + errors.write + errors.status + errors.timeout > 0 then
    print("not every request succeeded")
    return
  end
  local rate = summary.requests / summary.duration * 1000000
  local p99, median = latency:percentile(99) / 1000, latency:percentile(50) / 1000
  print(string.format("%.2f %.3f %.3f", rate, p99, median))
end
