-- What wrk asks of a server: a path, get, set (POST), put or page of random keys (named as src/names.rs does), add
-- to one number, or etcd-range and etcd-put of an etcd gateway.
--
--     wrk … URL -- TOKENS KEYS BYTES path PATH|get|set|put|page|add|etcd-range|etcd-put
--
-- URL     what the path of every key begins with
-- TOKENS  a file with a token for each user, one to a line, among which each request chooses; or nothing
-- KEYS    keys to choose from, of each user
-- BYTES   of a value
--
-- It prints the answers in a second, and the 99th percentile and the median of their times in milliseconds.

local page = 100
local tokens = {}
local what, keys, bytes

-- Values are cut out of this at random places, so that each is fresh and none can be compressed.
local pool_bytes = 1048576
local pool

local function random_pool(least, most)
  local parts = {}
  for i = 1, pool_bytes do
    parts[i] = string.char(math.random(least, most))
  end
  return table.concat(parts)
end

local function chosen()
  local headers = #tokens > 1 and { Authorization = tokens[math.random(1, #tokens)] } or nil
  local function piece(length)
    local at = math.random(1, pool_bytes - length)
    return pool:sub(at, at + length - 1)
  end
  if what == "get" then
    local key = string.format("/k/%08d", math.random(0, keys - 1))
    return wrk.format("GET", wrk.path .. key, headers)
  elseif what == "set" or what == "put" then
    local method = what == "set" and "POST" or "PUT"
    local key = string.format("/k/%08d", math.random(0, keys - 1))
    return wrk.format(method, wrk.path .. key, headers, piece(bytes))
  elseif what == "page" then
    local after = string.format("/k/%08d", math.random(0, math.max(keys - page - 1, 0)))
    local path = wrk.path .. "/k/?list&limit=" .. page .. "&after=" .. after
    return wrk.format("GET", path, headers)
  elseif what == "add" then
    return wrk.format("POST", wrk.path .. "/number?add=1", headers)
  elseif what == "etcd-range" then
    -- "hot" in base64, as the gateway wants it.
    return wrk.format("POST", wrk.path .. "/range", nil, '{"key":"aG90"}')
  elseif what == "etcd-put" then
    -- Twelve digits are base64 of nine bytes; four letters are three, so a value has a byte less than ours.
    local key = string.format("%012d", math.random(0, keys - 1))
    local value = piece(math.floor(bytes / 3) * 4)
    return wrk.format("POST", wrk.path .. "/put", nil, '{"key":"' .. key .. '","value":"' .. value .. '"}')
  end
  error("there is no request " .. what)
end

function init(args)
  math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000)
  keys, bytes, what = tonumber(args[2]), tonumber(args[3]), args[4]
  if args[1] ~= "" then
    for line in io.lines(args[1]) do
      tokens[#tokens + 1] = "Bearer " .. line
    end
  end
  if #tokens == 1 then
    wrk.headers["Authorization"] = tokens[1]
  end
  if what:sub(1, 4) == "etcd" then
    wrk.headers["Content-Type"] = "application/json"
  end
  if wrk.path == "/" then
    -- The URL has no path.
    wrk.path = ""
  end
  if what == "path" then
    -- As there is no function `request`, wrk sends the same bytes over and over without calling back here.
    wrk.path = wrk.path .. args[5]
  else
    request = chosen
  end
  -- Letters are base64 whatever they are.
  pool = what == "etcd-put" and random_pool(97, 122) or random_pool(0, 255)
end

function done(summary, latency)
  local errors = summary.errors
  if errors.connect + errors.read + errors.write + errors.status + errors.timeout > 0 then
    print("not every request succeeded")
    os.exit(1)
  end
  print(string.format("rate %.2f", summary.requests / summary.duration * 1000000))
  print(string.format("median %.3f", latency:percentile(50) / 1000))
  print(string.format("p99 %.3f", latency:percentile(99) / 1000))
end
