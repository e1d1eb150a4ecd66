-- Begins the log anew with a snapshot, if its head still is the one that was seen. ARGV: that head's version and its name,
-- the snapshot's version, its name and its line. The snapshot is written first: if memory is short, nothing has happened.
local at, by = head()
if at == ARGV[1] and by == ARGV[2] then
  redis.call('HSET', KEYS[2], 'v', ARGV[3], 'n', ARGV[4], 'e', ARGV[5])
  redis.call('DEL', KEYS[1])
  return {'accepted'}
end
local old, old_name = snapshot()
if old == ARGV[3] and old_name == ARGV[4] then return {'accepted'} end
return {'refused'}
