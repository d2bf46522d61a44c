-- Who asks, by the token they show: the same as src/identity/authenticate.ts. It may only say who; what they may read
-- stands in the grants.

local letters = { session = "s", bearer = "b", content = "c", link = "l" }
local longest = { s = 30 * 86400, b = 3600, c = 366 * 86400, l = 30 * 86400 }
local skew, stale_after = 60, 15 * 60
local nobody = string.rep("0", 64)

return function(lighty, grants_reader, cookie_name)
  local r, c = lighty.r, lighty.c
  local hmac, digest_eq, secret_eq = c.hmac, c.digest_eq, c.secret_eq
  local identity = {}

  -- Seals that were found right, by all of them but the mac, which is compared again each time. They and who they are of
  -- are found out anew for each new writing of the grants.
  local verified, held, verified_for = {}, 0, nil

  local function remember(name, seal)
    if held >= 4096 then verified, held = {}, 0 end
    verified[name], held = seal, held + 1
  end

  local function read(grants, message, mac, name)
    if mac:find("[^0-9a-f]") then return nil end
    local letter, key_id, id, subject, issued, expires =
      message:match("^v1%.([sbcl])%.([a-z0-9]+)%.([%w_-]+)%.([%w_-]+)%.(%d+)%.(%d+)$")
    local key = key_id and grants.keys[key_id]
    if not key or #id < 8 or #id > 64 or #subject > 64 or #issued > 11 or #expires > 11 then return nil end
    if not digest_eq(hmac("sha256", key, name), mac) then return nil end
    return { mac = mac, letter = letter, id = id, subject = subject, issued = tonumber(issued), expires = tonumber(expires) }
  end

  -- bound: nil or what the seal is good for alone. Returns nil for whatever is no seal.
  local function open(grants, token, bound)
    if verified_for ~= grants then verified, held, verified_for = {}, 0, grants end
    if #token > 256 or token:byte(-65) ~= 46 then return nil end
    local message, mac = token:sub(1, -66), token:sub(-64)
    local name = bound and message .. "\n" .. bound or message
    local known = verified[name]
    if known then return secret_eq(known.mac, mac) and known or nil end
    known = read(grants, message, mac, name)
    if known then remember(name, known) end
    return known
  end

  local function caller(grants, subject, issued, session)
    local found = grants.subjects[subject]
    if not found then
      -- Somebody who came in within this second.
      grants = grants_reader.again()
      found = grants.subjects[subject]
      if not found then return nil, "unknown" end
    end
    if issued <= found.since then return nil, "revoked" end
    return {
      kind = found.kind, subject = subject, name = found.name, issuer = found.issuer, session = session,
      grants = found.grants, everyone = grants.everyone,
      -- Only then is the address looked at.
      is_bound = #found.grants.bound + #grants.everyone.bound > 0,
    }
  end

  -- Whether a seal of this kind holds now: returns the caller, or nil and why not.
  local function holding(grants, kind, found, now)
    if not found or found.letter ~= letters[kind] then return nil, "invalid" end
    if found.issued > now + skew or found.expires <= now or found.expires - found.issued > longest[found.letter] then
      return nil, "invalid"
    end
    if found.issued < grants.before or grants.revoked[found.id] then return nil, "revoked" end
    if now - grants.time > stale_after then return nil, "stale" end
    if not found.caller then
      local why
      found.caller, why = caller(grants, found.subject, found.issued, found.id)
      if not found.caller then return nil, why end
    end
    local known = found.caller
    if known.is_bound then known.address = r.req_attr["request.remote-addr"] end
    return known
  end

  local function sealed(grants, kind, token, now, bound)
    return holding(grants, kind, open(grants, token, bound), now)
  end

  local function named(grants, token, now)
    local id, secret = token:match("^kmt_([0-9a-f]+)_([%w_-]+)$")
    if not id or #id ~= 16 or #secret ~= 43 then return nil, "malformed" end
    local found = grants.tokens[id]
    local right = digest_eq(c.md("sha256", secret), found and found.sha256 or nobody)
    if not found then
      grants = grants_reader.again()
      found = grants.tokens[id]
      right = digest_eq(c.md("sha256", secret), found and found.sha256 or nobody)
    end
    if not found or not right or found.expires <= now then return nil, "invalid" end
    if found.made < grants.before or grants.revoked[id] then return nil, "revoked" end
    if now - grants.time > stale_after then return nil, "stale" end
    local of, why = caller(grants, found.subject, found.made, nil)
    if of then of.address = r.req_attr["request.remote-addr"] end
    return of, why
  end

  local lead = cookie_name .. "="

  -- The session cookie. Two of this name are a sign of somebody who plants them.
  local function cookie_of(header)
    local found, count = nil, 0
    for part in header:gmatch("[^;]+") do
      local name, value = part:match("^%s*(.-)%s*=%s*(.-)%s*$")
      if name == cookie_name then found, count = value, count + 1 end
    end
    return found, count > 1
  end

  -- The files of a page are asked for one after the other, by the same header.
  local last_header, last_seal, last_for = "", nil, nil

  -- Usually there is but this one cookie, and it was shown before: then its header is known by all of it but the mac,
  -- and nothing of it is taken apart again. (A header begins with the cookie's name, a seal alone does not.)
  local function of_cookie(grants, kind, header, now, bound)
    if last_for == grants and not bound and secret_eq(last_header, header) then
      return holding(grants, kind, last_seal, now)
    end
    local known = not bound and verified_for == grants and verified[header:sub(1, -65)]
    if known and secret_eq(known.mac, header:sub(-64)) then
      last_header, last_seal, last_for = header, known, grants
      return holding(grants, kind, known, now)
    end
    local token, twice = cookie_of(header)
    if twice then return nil, "malformed" end
    if not token then return identity.anonymous(grants) end
    known = open(grants, token, bound)
    if known and not bound and header == lead .. token then remember(header:sub(1, -65), known) end
    return holding(grants, kind, known, now)
  end

  function identity.anonymous(grants)
    return {
      kind = "anonymous", name = "-", issuer = "-", everyone = grants.everyone, address = r.req_attr["request.remote-addr"],
    }
  end

  -- Returns the caller, or nil and why what was shown does not hold.
  function identity.who(grants, authorization, cookie, now)
    local bearer = authorization and authorization:match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(.*)$")
    if bearer then
      if bearer:sub(1, 4) == "kmt_" then return named(grants, bearer, now) end
      return sealed(grants, "bearer", bearer, now)
    end
    if not cookie then return identity.anonymous(grants) end
    return of_cookie(grants, "session", cookie, now)
  end

  -- On a report's host: by the cookie that is good for this host alone.
  function identity.visitor(grants, cookie, now, host_label)
    if not cookie then return identity.anonymous(grants) end
    return of_cookie(grants, "content", cookie, now, host_label)
  end

  -- A seal that is good for one thing alone: a link to one file.
  function identity.bound(grants, kind, token, now, bound)
    return sealed(grants, kind, token, now, bound)
  end

  return identity
end
