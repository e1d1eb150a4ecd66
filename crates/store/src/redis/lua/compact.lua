-- Keeps a snapshot, if it is newer than the one that is kept and of an entry of this log, and takes off the entries that
-- nobody needs. ARGV: the snapshot's version, its name, its line, and the id from which entries stay.
local old = snapshot()
if tonumber(ARGV[1]) <= tonumber(old) then return {'old'} end
local entry = entry_of(ARGV[1])
if not entry or field(entry, 'n') ~= ARGV[2] then return {'foreign'} end
redis.call('HSET', KEYS[2], 'v', ARGV[1], 'n', ARGV[2], 'e', ARGV[3])
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[4])
return {'compacted'}
