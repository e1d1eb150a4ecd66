-- What every script begins with: how a log stands in Redis, and what in it is newer than a head.
--
-- KEYS[1] is a stream. The entry of version v has the id v-0 and the fields n, its name (worker-proposal), p, the name
-- of the entry that it was decided on, and e, its line. KEYS[2] is a hash, the snapshot: the fold of every entry up to
-- one, with that one's version v and name n, and its line e. A head is a version and a name; the empty log's is 0, 0-0.
-- Versions are compared as text where they must be the same, for a number here is exact up to 2^53 only.

local function field(entry, name)
  local fields = entry[2]
  for at = 1, #fields, 2 do
    if fields[at] == name then return fields[at + 1] end
  end
  return ''
end

local function entry_of(version)
  return redis.call('XRANGE', KEYS[1], version .. '-0', version .. '-0')[1]
end

local function snapshot()
  local found = redis.call('HMGET', KEYS[2], 'v', 'n')
  return found[1] or '0', found[2] or '0-0'
end

-- The version and the name of the newest append; the snapshot's if nothing was appended after it.
local function head()
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if newest then return string.match(newest[1], '^%d+'), field(newest, 'n') end
  return snapshot()
end

-- The entries after a version: at most so many, and none after the one that fills so many bytes.
local function entries_after(version, most, bytes)
  local all, after = {}, version .. '-0'
  repeat
    local asked = math.min(32, most - #all)
    local some = redis.call('XRANGE', KEYS[1], '(' .. after, '+', 'COUNT', asked)
    for _, entry in ipairs(some) do
      all[#all + 1], after = entry, entry[1]
      bytes = bytes - #field(entry, 'e')
      if bytes <= 0 then return all end
    end
  until #some < asked or #all >= most
  return all
end

-- What is newer than a head, beginning there if it is of this log, else with the snapshot, else with the first entry. The
-- log's own head is (at, by).
local function newer(at, by, version, name, most, bytes)
  if tonumber(at) < tonumber(version) then return {'behind', at, by} end
  local entry = entry_of(version)
  local old, old_name = snapshot()
  if (entry and field(entry, 'n') == name) or (version == old and name == old_name) then
    return {'here', at, by, entries_after(version, most, bytes)}
  end
  if old == '0' then return {'beginning', at, by, entries_after('0', most, bytes)} end
  local line = redis.call('HGET', KEYS[2], 'e')
  return {'snapshot', at, by, entries_after(old, most, bytes), old, old_name, line}
end
