-- Who may have what a request asks for, where identity is on: the caller is found out once, each build is looked up by
-- its label, and what the gateway composes for each reader is left to it. Off, nothing of this runs.

local home = os.getenv("SITE_HOME") .. "/lighttpd/"
local decide = dofile(home .. "decide.lua")
local on = os.getenv("SITE_IDENTITY") == "on"
local has_login, origin = os.getenv("SITE_LOGIN") == "on", os.getenv("SITE_ORIGIN")
local pages, cookie_name = os.getenv("SITE_PAGES"), os.getenv("SITE_COOKIE")

-- The build's own address, and what stands behind it; nil for an address of no build.
local function build_of(path)
  local build, rest = path:match("^(/[^/]+/[^/]+/builds/%d+)/(.*)$")
  if build then return build, rest end
  return path:match("^/[^/]+/[^/]+/builds/%d+$"), ""
end

return function(lighty, files, answers)
  local r, c = lighty.r, lighty.c
  local request, response, attribute, environment = r.req_header, r.resp_header, r.req_attr, r.req_env
  local access = { on = on, build_of = build_of }
  if not on then return access end

  local grants_reader = dofile(home .. "grants.lua")(lighty, os.getenv("SITE_GRANTS"))
  local new_identity = dofile(home .. "identity.lua")
  local identity = new_identity(lighty, grants_reader, cookie_name)
  local visitors = new_identity(lighty, grants_reader, cookie_name .. "-content")
  -- Of the request that is being answered; `begin` forgets the one before.
  local grants, caller, now
  local may_read = decide.may_read

  local function note(decision, reason)
    environment["DECISION"] = decision
    if reason then environment["REASON"] = reason end
  end

  local function note_caller(kind)
    if caller.kind == "anonymous" then return end
    environment["SUBJECT"], environment["KIND"] = caller.name, kind or caller.kind
    environment["ISSUER"] = caller.issuer
  end

  local function unavailable(reason)
    note("refused", reason)
    response["Retry-After"] = "30"
    return answers.fail(503, "ERR_IDENTITY_UNAVAILABLE", "who may read what cannot be told now; the gateway is not keeping it")
  end

  -- The same for all that is not public, whether it is there or not.
  local function challenge(reason)
    note("refused", reason)
    local accept = request["Accept"]
    if has_login and attribute["request.method"] == "GET" and not request["Authorization"]
      and accept and accept:find("text/html", 1, true) then
      local to = attribute["uri.path-raw"] .. (answers.query == "" and "" or "?" .. answers.query)
      return answers.redirect(302, "/-/auth/login?to=" .. c.urlenc(to))
    end
    response["WWW-Authenticate"] = 'Bearer realm="kitemirror"'
    return answers.fail(401, "ERR_SIGN_IN_REQUIRED", "sign in, or send a token that this mirror gave out")
  end

  -- Whether there is a cookie or a bearer token that holds. nil: go on; else the status to end with. A cookie that holds
  -- no more makes its sender a stranger; a bearer token is sent by a program, which is to be told.
  local function take(credential, found, why)
    caller = found
    if not caller then
      if why == "stale" then return unavailable("stale") end
      if credential and credential:find("^[Bb][Ee][Aa][Rr][Ee][Rr] ") then return challenge(why) end
      caller = identity.anonymous(grants)
      caller.why = why
    end
    note_caller()
    return nil
  end

  -- nil: go on.
  local function look_at_grants()
    now = answers.now
    grants = grants_reader.current(now)
    return not grants and unavailable("no grants") or nil
  end

  function access.begin()
    grants, caller, now = nil, nil, nil
  end

  function access.enter()
    local authorization, status = request["Authorization"], look_at_grants()
    return status or take(authorization, identity.who(grants, authorization, request["Cookie"], now))
  end

  -- Who asks at an address that is open to all, for the log alone.
  function access.notice()
    now = answers.now
    grants = grants_reader.current(now)
    local found = grants and identity.who(grants, request["Authorization"], request["Cookie"], now)
    if not found then return end
    caller = found
    note_caller()
  end

  -- Labels by the build's address, looked at once a second: an address can come to mean another build.
  local labels, held = {}, 0

  local function label_at(build)
    local known = labels[build]
    if known and known.looked == now then return known.label end
    local line = files.first_line(pages .. build .. "/label")
    if known and known.line == line then
      known.looked = now
      return known.label
    end
    if held >= 4096 then labels, held = {}, 0 end
    local label = nil
    local id, branch = (line or ""):match("^1\t([^\t]+)\t([-=].*)$")
    if id then
      local organization, folder = build:match("^/([^/]+)/([^/]+)/")
      local slug = folder:match("^(.+)~" .. ("[0-9a-f]"):rep(8) .. "$") or folder
      label = { organization = organization, pipeline = slug, id = id, branch = branch:match("^=(.*)$") }
    end
    -- What is not there is not remembered: addresses that anybody makes up would fill the table.
    if label then labels[build], held = { looked = now, line = line, label = label }, held + 1 end
    return label
  end

  function access.may_read(build)
    return may_read(caller, label_at(build))
  end

  -- A link that somebody who may read the file has made for it.
  local function linked(label, path)
    if path:byte(-1) == 47 or not answers.is_asked("link") then return false end
    local token = c.urldec_query(answers.query).link or ""
    local maker = identity.bound(grants, "link", token, now, path)
    if not maker or not may_read(maker, label) then return false end
    caller = maker
    note_caller("link")
    note("allowed", "link " .. maker.session)
    return true
  end

  -- Whether the caller, or anybody, may have what lies at this path of a build.
  local function is_theirs(label, rest)
    if may_read(caller, label) then
      note("allowed")
      return true
    end
    if not label or rest == "" or not decide.is_public_path(grants.publics, label, rest) then return false end
    note("allowed", "public path")
    return true
  end

  -- By a link too, where the request shows one.
  function access.allows(path, build, rest)
    local label = label_at(build)
    return is_theirs(label, rest) or label ~= nil and linked(label, path)
  end

  -- Signed in and not allowed is what a missing file is; anybody else, or nobody, is asked who they are.
  function access.refuse()
    if not caller or caller.kind == "anonymous" then return challenge(caller and caller.why or "not signed in") end
    note("refused", "policy")
    return answers.absent()
  end

  -- Whether the gateway is to compose something for this caller: for a stranger only where something is public.
  function access.may_ask()
    local everyone = grants.everyone
    return caller.kind ~= "anonymous" or #everyone.always + #everyone.bound > 0
  end

  function access.note_allowed()
    note("allowed")
  end

  function access.is_stranger()
    return caller.kind == "anonymous"
  end

  function access.knows_pipeline(organization, pipeline)
    return decide.knows_pipeline(caller, organization, pipeline)
  end

  -- On the host of a build's reports: by a cookie that is good for this host alone, or what is public.
  function access.enter_content(host_label, path)
    local cookie, status = request["Cookie"], look_at_grants()
    status = status or take(cookie, visitors.visitor(grants, cookie, now, host_label))
    if status then return status end
    local build, rest = build_of(path)
    if not build then return answers.absent() end
    -- A link opens a file at the mirror's own host alone, where nothing of it runs.
    if is_theirs(label_at(build), rest) then return nil end
    note("refused", caller.why or "not signed in")
    local accept = request["Accept"]
    if attribute["request.method"] == "GET" and accept and accept:find("text/html", 1, true) then
      local query = answers.query_without("open")
      return answers.redirect(302, origin .. attribute["uri.path-raw"] .. query .. (query == "" and "?" or "&") .. "open")
    end
    return challenge("not signed in")
  end

  return access
end
