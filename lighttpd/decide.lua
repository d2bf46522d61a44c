-- May this caller read that build? The same decision as src/identity/decide.ts; test/identity holds the two together.

local decide = {}

-- `*` stands for any characters, every other one for itself. Bytes or characters: the outcome is the same.
function decide.wildcard(pattern, text)
  if not pattern:find("*", 1, true) then return pattern == text end
  local at, from, star, resume = 1, 1, nil, 1
  local byte = string.byte
  while from <= #text do
    local wanted = byte(pattern, at)
    if wanted == 42 then
      star, resume, at = at, from, at + 1
    elseif wanted and wanted == byte(text, from) then
      at, from = at + 1, from + 1
    elseif not star then
      return false
    else
      at, resume = star + 1, resume + 1
      from = resume
    end
  end
  while byte(pattern, at) == 42 do at = at + 1 end
  return at > #pattern
end
local wildcard = decide.wildcard

local function any(patterns, text)
  for i = 1, #patterns do
    if wildcard(patterns[i], text) then return true end
  end
  return false
end

local function names(rule, organization, pipeline)
  return rule.pipeline and wildcard(rule.organization, organization) and wildcard(rule.pipeline, pipeline)
end

-- label: { organization, pipeline, id, branch (nil: no rule about branches matches) }
function decide.matches(rule, label)
  if rule.id then
    if rule.id ~= label.id then return false end
  elseif not names(rule, label.organization, label.pipeline) then
    return false
  end
  if not rule.branches then return true end
  return label.branch ~= nil and any(rule.branches, label.branch)
end
local matches = decide.matches

-- The bits of an address as lighttpd tells it, after a "4" or a "6"; an IPv4 address within IPv6 counts as IPv4.
local function bits_of(bytes, family)
  local out = { family }
  for i = 1, #bytes do
    local byte, text = bytes[i], ""
    for _ = 1, 8 do
      text = (byte % 2) .. text
      byte = byte // 2
    end
    out[#out + 1] = text
  end
  return table.concat(out)
end

local function words_of(text, bytes)
  for word in text:gmatch("[^:]+") do
    local value = tonumber(word, 16)
    bytes[#bytes + 1], bytes[#bytes + 2] = value >> 8, value & 255
  end
  return bytes
end

function decide.bits(address)
  local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then a, b, c, d = address:lower():match("^::ffff:(%d+)%.(%d+)%.(%d+)%.(%d+)$") end
  if a then return bits_of({ tonumber(a), tonumber(b), tonumber(c), tonumber(d) }, "4") end
  if not address:match("^[%x:]+$") then return nil end
  local front, back = address:match("^(.-)::(.*)$")
  local head, tail = words_of(front or address, {}), words_of(back or "", {})
  while #head + #tail < 16 do head[#head + 1] = 0 end
  for i = 1, #tail do head[#head + 1] = tail[i] end
  return bits_of(head, "6")
end

local function within(ranges, bits)
  if not bits then return false end
  for i = 1, #ranges do
    local range = ranges[i]
    if bits:sub(1, #range) == range then return true end
  end
  return false
end

-- grants: { always = rules, bound = { { rule, ranges } }, decided = what was found out before, by label }
local function allows(grants, label, address)
  local known = grants.decided[label]
  if known == nil then
    known = false
    for i = 1, #grants.always do
      if matches(grants.always[i], label) then
        known = true
        break
      end
    end
    grants.decided[label] = known
  end
  if known then return true end
  if #grants.bound == 0 then return false end
  local bits = decide.bits(address)
  for i = 1, #grants.bound do
    local rule, ranges = grants.bound[i][1], grants.bound[i][2]
    if within(ranges, bits) and matches(rule, label) then return true end
  end
  return false
end

-- caller: { grants = of the subject's own or nil, everyone = grants, address = text }
function decide.may_read(caller, label)
  if not label then return false end
  local own = caller.grants
  -- Nearly always it was found out before.
  if own and (own.decided[label] or allows(own, label, caller.address)) then return true end
  return allows(caller.everyone, label, caller.address)
end

function decide.is_public_path(publics, label, path)
  if not label then return false end
  for i = 1, #publics do
    if matches(publics[i].rule, label) and any(publics[i].paths, path) then return true end
  end
  return false
end

local function known_to(grants, organization, pipeline, address)
  for i = 1, #grants.always do
    if names(grants.always[i], organization, pipeline) then return true end
  end
  if #grants.bound == 0 then return false end
  local bits = decide.bits(address)
  for i = 1, #grants.bound do
    if within(grants.bound[i][2], bits) and names(grants.bound[i][1], organization, pipeline) then return true end
  end
  return false
end

-- Whether some rule speaks of this pipeline by name: then where it has gone is no secret.
function decide.knows_pipeline(caller, organization, pipeline)
  if caller.grants and known_to(caller.grants, organization, pipeline, caller.address) then return true end
  return known_to(caller.everyone, organization, pipeline, caller.address)
end

return decide
