-- Instants come from the caller's clock. One that is a second or more off the server's is put right by the
-- difference, so that leases of workers with different clocks compare; less is left as it is.
local function skew(caller_ns)
  local time = redis.call('TIME')
  local off = tonumber(time[1]) * 1e9 + tonumber(time[2]) * 1e3 - tonumber(caller_ns)
  if math.abs(off) < 1e9 then return 0 end
  return off
end
