-- What a request is for: a file of the tree or of the pages, a stable address, a back end; or, on a host of the content
-- origin, an artifact alone.

local pcall = pcall
local home = os.getenv("SITE_HOME") .. "/lighttpd/"
local shapes = dofile(home .. "shapes.lua")
local assets, assets_address = os.getenv("SITE_HOME") .. "/src/pages/assets/", "/-/assets/"
local site = { tree = os.getenv("SITE_TREE"), pages = os.getenv("SITE_PAGES"), hosts = {} }
for host in os.getenv("SITE_HOSTS"):gmatch("%S+") do site.hosts[host] = true end

local gateway = { api = true, auth = true, mcp = true, search = true, ledger = true }
-- By which who started this Lighttpd tells it from another program on its port.
local front_id = os.getenv("SITE_ID")
local scheme = os.getenv("SITE_ORIGIN"):match("^%l+://")
local own_home = "/" .. os.getenv("SITE_ORGANIZATION")

return function(lighty)
  local r = lighty.r
  local request, attribute, environment = r.req_header, r.req_attr, r.req_env
  local answers = dofile(home .. "answers.lua")(lighty)
  local forwarding = dofile(home .. "forward.lua")(lighty, answers)
  local forward = forwarding.to
  local files = dofile(home .. "files.lua")(lighty, answers)
  local pointers = dofile(home .. "pointers.lua")(lighty, site, files, answers)
  local content = dofile(home .. "content.lua")(lighty, files, answers)
  local reach = dofile(home .. "reach.lua")(lighty)
  local access = dofile(home .. "access.lua")(lighty, files, answers)
  local tree, pages, hosts = site.tree, site.pages, site.hosts
  local send, untrusted = files.send, files.untrusted
  -- nil where nothing is to be found or to be counted.
  local find_reader, is_crowded = reach.find_reader, reach.is_crowded

  -- What all pages share. The same for everybody, and of this version: a browser looks again after a minute, and behind
  -- the page's back.
  local function script_or_style(name)
    local status = send(assets .. name, answers.page_policy(), nil)
    if not status then return answers.absent() end
    if status < 400 then answers.mark("public, max-age=60, stale-while-revalidate=604800") end
    return status
  end

  -- Whoever posts from a browser tells from which site; who shows a cookie must.
  local function is_own_origin()
    local from = request["Origin"]
    if not from then return not request["Cookie"] end
    return from == scheme .. (attribute["uri.authority"] or "")
  end

  local function refuse_address()
    environment["DECISION"], environment["REASON"] = "refused", "address"
    return answers.fail(403, "ERR_ADDRESS_REFUSED", "this is not answered to the address that you come from")
  end

  -- As the gateway may read an address: capital letters and a slash at the end do not matter.
  local function is_kept_off(room, path)
    if room == "api" or room == "mcp" then return not reach.may_ask_api() end
    return path:lower():find("^/%-/auth/token/?$") ~= nil and not reach.may_exchange()
  end

  local function system(path, method)
    local reads = method == "GET" or method == "HEAD"
    if path == "/-/healthz" or path == "/-/readyz" then
      if not reads then return answers.refuse_method("GET, HEAD") end
      if path == "/-/readyz" then return forward("receiver") end
      lighty.r.resp_header["X-Kitemirror-Front"] = front_id
      return answers.text("ok\n")
    end
    if path:sub(1, 12) == "/-/webhooks/" then
      if method ~= "POST" then return answers.refuse_method("POST") end
      return reach.may_deliver() and forward("receiver") or refuse_address()
    end
    local asset = path:match("^/%-/assets/(%l[%l%d-]*%.%l+)$")
    if asset then return reads and script_or_style(asset) or answers.refuse_method("GET, HEAD") end
    -- Scripts that are made of our modules; their address changes with their bytes, so each is the sign that it stays.
    if path:find("^/%-/assets/%x+/[%l/-]+%.js$") then
      if not reads then return answers.refuse_method("GET, HEAD") end
      return send(pages .. path, answers.page_policy(), pages .. path, nil, true) or answers.absent()
    end
    if path:sub(1, 10) == assets_address then return answers.absent() end
    local room = path:match("^/%-/(%l+)")
    if not gateway[room] then return access.on and access.refuse() or answers.absent() end
    if is_kept_off(room, path) then return refuse_address() end
    if not reads and method ~= "POST" then return answers.refuse_method("GET, HEAD, POST") end
    if method == "POST" and not is_own_origin() then
      return answers.fail(403, "ERR_ORIGIN_REFUSED", "this was sent from a page of another site")
    end
    if access.on and room ~= "auth" and not access.may_ask() then return access.refuse() end
    return forward("gateway")
  end

  -- The marker that may call a job's file immutable, and the file's name behind the job's folder. The marker lies beside
  -- the job's page. A log may still grow until its build has ended, and the sums with it: these have a marker of their own.
  local function marker_of(path)
    local job, file = shapes.job_of(path)
    if not job or file == "job.json" then return nil, file end
    local grows = file == "log.txt" or file == "log/" or file == "log/index.json"
      or file == "SHA256SUMS"
    return pages .. job .. (grows and "final" or "settled"), file
  end

  -- What was found out about the paths of files that were sent: patterns cost more than all else here, and the same
  -- files are asked for again and again. Depends on the path alone, never on what is on the disk.
  local known, held = {}, 0

  -- What a log's page reads the log by: ours, beside the page. nil where the address is none of these.
  local function index(path)
    local final, rest = marker_of(path)
    if rest ~= "log/index.json" then return nil end
    return send(pages .. path, answers.page_policy(), final, nil, true)
  end

  local function file(path, policy)
    local found = known[path]
    if found then return send(found.file, policy, found.settled, found) end
    if not shapes.is_artifact(path) and not shapes.is_record(path) then return nil end
    found = { file = tree .. path, settled = marker_of(path) }
    found.build, found.rest = access.build_of(path)
    local status = send(found.file, policy, found.settled, found)
    if status then
      if held >= 4096 then known, held = {}, 0 end
      known[path], held = found, held + 1
    end
    return status
  end

  local function page(path)
    local settled, rest = marker_of(path)
    return send(pages .. path .. "index.html", answers.page_policy(), rest == "log/" and settled or nil, nil, true)
  end

  -- What is asked of an artifact beside its bytes is the gateway's to show: a page for a file, which it keeps, or for
  -- a folder. nil where nothing of that kind is asked.
  local function shown(path)
    if not shapes.is_artifact(path) then return nil end
    if path:byte(-1) == 47 then
      return (answers.is_asked("gallery") or answers.is_asked("tests")) and forward("gateway") or nil
    end
    if not answers.is_asked("view") then return nil end
    local kept = answers.query == "view"
      and send(pages .. path .. "/?view/index.html", answers.page_policy(), nil, nil, true)
    return kept or forward("gateway")
  end

  local function folder(path)
    local query = answers.query
    local listed = answers.is_asked("list") or answers.is_asked("archive")
    local status = pointers.answer(path) or pointers.moved(path)
    if not status and not listed and shapes.is_artifact(path) then
      status = send(tree .. path .. "index.html", untrusted, nil)
    end
    -- A page knows no questions: those about builds, about a log's lines, and how to list, are the gateway's. What is kept
    -- of a folder is its listing, but of a build or a job it is its page.
    local asks = listed and (query ~= "list" or shapes.has_page(path))
      or query ~= "" and (path:find("^/[^/]+/[^/]+/builds/$") or path:find("/jobs/[^/]+/log/$"))
    if not status and not asks then status = page(path) end
    return status or forward("gateway")
  end

  local function slash(path)
    if not files.is_folder(tree .. path) and not files.is_file(pages .. path .. "/index.html") then return nil end
    return answers.add_slash()
  end

  -- `found`: what was found out about the path before, or nil.
  local function lying_there(path, found)
    if found then return send(found.file, untrusted, found.settled, found) or slash(path) end
    local of_log = path:sub(-15) == "/log/index.json" and index(path)
    return of_log or file(path, untrusted) or slash(path)
  end

  -- Addresses that may be somebody's though nothing lies there: the gateway knows, and says what became of a file of a
  -- job. Where it does not run, that nothing is here is all there is to say.
  local function missing(path)
    local job, name = shapes.job_of(path)
    local may_be_known = path == own_home or path:find("^/[^/]+/[^/]+/builds/%d+$") ~= nil
      or path:find("^/[^/]+/[^/]+/builds/%d+/compare$") ~= nil
      or job and (name == "log.txt" or shapes.is_artifact(path)) and files.is_file(tree .. job .. "job.json")
    return may_be_known and forwarding.for_absent() or answers.absent()
  end

  local function reader(path, method, found)
    if method ~= "GET" and method ~= "HEAD" then return answers.refuse_method("GET, HEAD") end
    if answers.query ~= "" then
      local status = answers.is_asked("open") and content.entry(path) or shown(path)
      if status then return status end
    end
    if path:sub(1, 15) == "/organizations/" then return forward("gateway") end
    if path:byte(-1) == 47 then return folder(path) end
    return lying_there(path, found) or pointers.answer(path) or pointers.moved(path) or missing(path)
  end

  -- Below a build's address all is one label's. A pipeline that has another name now leads on who may read it there.
  local function follow_move(organization, name, rest)
    local build = access.build_of("/" .. organization .. "/" .. name .. rest)
    if build then return access.may_read(build) end
    return access.knows_pipeline(organization, name)
  end

  local function known_question(path, build)
    -- To the build's own host by a ticket, which the gateway gives; what is public needs none.
    if answers.is_asked("open") and content.offers(path) then
      return access.is_stranger() and content.entry(path) or forward("gateway")
    end
    -- What is made of an artifact may draw on others of its build: not for who may read this path alone.
    return access.may_read(build) and shown(path) or nil
  end

  -- As `reader`, where identity is on: what spans builds is composed by the gateway for each reader.
  local function known_reader(path, method, found)
    if method ~= "GET" and method ~= "HEAD" then return answers.refuse_method("GET, HEAD") end
    local build, rest
    if found then build, rest = found.build, found.rest else build, rest = access.build_of(path) end
    if build then
      if not access.allows(path, build, rest) then return pointers.moved(path, follow_move) or access.refuse() end
      local status = answers.query ~= "" and known_question(path, build)
      if status then return status end
      if not found and path:byte(-1) == 47 then return folder(path) end
      return lying_there(path, found) or access.may_read(build) and missing(path) or answers.absent()
    end
    if not access.may_ask() then return access.refuse() end
    local status = pointers.answer(path, access.may_read) or pointers.moved(path, follow_move)
    if not status then return forward("gateway") end
    access.note_allowed()
    return status
  end

  -- The host of one build's reports.
  local function content_host(label, path, method)
    if access.on then
      if path == "/-/enter" then return method == "GET" and forward("gateway") or answers.refuse_method("GET") end
      local status = access.enter_content(label, path)
      if status then return status end
    end
    return content.answer(label, path, method, file)
  end

  local function refuse_crowd()
    environment["DECISION"], environment["REASON"] = "refused", "connections"
    r.req_item.keep_alive = 0
    lighty.r.resp_header["Retry-After"] = "2"
    return answers.fail(429, "ERR_READER_BUSY", "too many connections come from your address at once")
  end

  local function is_open_to_all(path)
    return path == "/-/healthz" or path == "/-/readyz" or path:sub(1, 12) == "/-/webhooks/" or path:sub(1, 8) == "/-/auth/"
      or path:sub(1, 10) == assets_address
  end

  local function answer()
    local host, path, method = attribute["uri.authority"] or "", attribute["uri.path"], attribute["request.method"]
    if path == "/-/detour" and forwarding.is_detour() then return forwarding.resume() end
    answers.begin(method)
    if access.on then access.begin() end
    if find_reader then find_reader() end
    if is_crowded and is_crowded(answers.now) then return refuse_crowd() end
    local label = not hosts[host] and content.label_of(host)
    if label then return content_host(label, path, method) end
    if not hosts[host] then
      return answers.fail(421, "ERR_MISDIRECTED", "this host is not the one that KITEMIRROR_URL names")
    end
    local found = known[path]
    local is_system = not found and path:byte(2) == 45 and path:byte(3) == 47
    if access.on then
      if is_system and is_open_to_all(path) then
        if path:sub(1, 8) == "/-/auth/" then access.notice() end
      else
        local status = access.enter()
        if status then return status end
      end
    end
    if is_system then return system(path, method) end
    return (access.on and known_reader or reader)(path, method, found)
  end

  -- Whatever goes wrong in here is a 500, and never a file.
  local function answer_or_fail()
    local done, status = pcall(answer)
    if done then return status end
    print("the gate failed: " .. tostring(status))
    return answers.broken()
  end

  return { lighty = lighty, answer = answer_or_fail }
end
