-- Requests for `cargo xtask bench`: a path with ID replaced by a random line of a file, or a fixed path.
-- Arguments: method, path, file of ids or "-", body or "-", then header names and values.

local ids = {}
local before, after
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

-- The request is put together once and only the id is replaced: formatting each one would be slower than the server.
function init(args)
  local method, path, body = args[1], args[2], args[4]
  local headers = {}
  for at = 5, #args - 1, 2 do headers[args[at]] = args[at + 1] end
  if args[3] ~= "-" then
    for line in io.lines(args[3]) do ids[#ids + 1] = line end
  end
  local whole = wrk.format(method, path, headers, body ~= "-" and body or nil)
  before = whole
  if #ids > 0 then
    local first, last = whole:find("ID", 1, true)
    before, after = whole:sub(1, first - 1), whole:sub(last + 1)
  end
  math.randomseed(os.time() * 1000 + number)
end

function request()
  if #ids == 0 then return before end
  return before .. ids[math.random(#ids)] .. after
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"micros":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
