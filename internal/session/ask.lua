-- Compares a binding with that of the asker, and writes it when it is theirs.
--
-- KEYS[1]: the binding.
-- ARGV: "use", "bind" or "drop"; the value of a binding of the asker; its time to live in milliseconds.
-- Returns 1 when the binding is the asker's, else 0. A binding of somebody else is left alone.
local mode, mine, ttl = ARGV[1], ARGV[2], ARGV[3]
local value = redis.call('GET', KEYS[1])
if not value and mode == 'bind' then
  redis.call('SET', KEYS[1], mine, 'PX', ttl)
  return 1
end
if value ~= mine then return 0 end
if mode == 'drop' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ttl)
end
return 1
