-- Appends, if the log's head is the one that was expected; else tells what is newer. ARGV: the expected version and its
-- name, the next version, the name and the line of the append, and as for newer how much to tell.
local at, by = head()
if at == ARGV[1] and by == ARGV[2] then
  redis.call('XADD', KEYS[1], ARGV[3] .. '-0', 'n', ARGV[4], 'p', ARGV[2], 'e', ARGV[5])
  return {'accepted'}
end
local next = entry_of(ARGV[3])
if next and field(next, 'n') == ARGV[4] and field(next, 'p') == ARGV[2] and field(next, 'e') == ARGV[5] then
  return {'accepted'}
end
return newer(at, by, ARGV[1], ARGV[2], tonumber(ARGV[6]), tonumber(ARGV[7]))
