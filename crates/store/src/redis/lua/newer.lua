-- What is newer than a head. ARGV: its version, its name, at most how many entries, and how many bytes of them.
local at, by = head()
return newer(at, by, ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
