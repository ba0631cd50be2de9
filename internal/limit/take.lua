-- Spends one call from every bucket, or from none when one of them has no room.
--
-- KEYS: the buckets, each the time at which it has its full burst again, in microseconds since 1970.
-- ARGV: for each bucket what a call costs and what its burst holds, in microseconds.
-- Returns 1 or 0, and how long after now each bucket is full again.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local debts = {}
local fits = true
for i, key in ipairs(KEYS) do
  local cost, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local value = redis.pcall('GET', key)
  local full = type(value) == 'string' and tonumber(value) or now
  if not (full > now) then full = now end -- NaN too
  debts[i] = math.min(full - now, window)
  if debts[i] + cost > window then fits = false end
end
if not fits then return { 0, unpack(debts) } end
for i, key in ipairs(KEYS) do
  debts[i] = debts[i] + tonumber(ARGV[2 * i - 1])
  redis.call('SET', key, string.format('%.0f', now + debts[i]), 'PX', math.ceil(debts[i] / 1000))
end
return { 1, unpack(debts) }
