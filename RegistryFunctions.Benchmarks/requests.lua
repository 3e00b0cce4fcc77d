-- Sends the requests of a file in their order, from the first again after the last. They are read one by one: a minute of
-- publishes is more than LuaJIT may hold. Arguments: the file, the bytes of a request, the number of the first to send, and
-- for how many milliseconds a connection rests after an answer, on average.

function init(args)
  file, size = io.open(args[1], "rb"), tonumber(args[2])
  file:seek("set", size * args[3])
  if tonumber(args[4]) > 0 then
    math.randomseed(os.time())
    -- At random, so that the connections don't come in step.
    function delay() return math.floor(2 * args[4] * math.random() + 0.5) end
  end
end

function request()
  local text = file:read(size)
  if text then return text end
  file:seek("set", 0)
  return file:read(size)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("measured %d %d %d %d %d %d %d\n",
    errors.connect + errors.read + errors.write + errors.timeout + errors.status,
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99), latency.max))
end
