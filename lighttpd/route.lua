-- What a request is for. A file is sent only where its address has the shape of a public one, from the tree or from the
-- pages, never because a file happens to lie there: records, views, markers and pointers share those folders.

local home = os.getenv("SITE_HOME") .. "/lighttpd/"
local site = { tree = os.getenv("SITE_TREE"), pages = os.getenv("SITE_PAGES"), hosts = {} }
for host in os.getenv("SITE_HOSTS"):gmatch("%S+") do site.hosts[host] = true end

local gateway = { api = true, auth = true, mcp = true, search = true, ledger = true }
-- What a client may not tell a back end: these are ours to say.
local private = { ["x-request-id"] = true, ["forwarded"] = true, ["x-real-ip"] = true, ["x-host"] = true }

return function(lighty)
  local r = lighty.r
  local request, attribute, environment = r.req_header, r.req_attr, r.req_env
  local answers = dofile(home .. "answers.lua")(lighty)
  local files = dofile(home .. "files.lua")(lighty, answers)
  local pointers = dofile(home .. "pointers.lua")(lighty, site, files, answers)
  local tree, pages, hosts = site.tree, site.pages, site.hosts

  -- The back end's choice, read by lighttpd.conf. Names are compared as a back end might: case and "_" do not matter.
  local function forward(to)
    local dropped = {}
    for name in pairs(request) do
      local plain = name:lower():gsub("_", "-")
      if private[plain] or plain:find("^x%-kitemirror") or plain:find("^x%-forwarded") then
        dropped[#dropped + 1] = name
      end
    end
    for i = 1, #dropped do request[dropped[i]] = nil end
    request["X-Request-Id"] = answers.id
    request["X-Kitemirror-To"] = to
    environment["KITEMIRROR_TO"] = to
    return 0
  end

  local function system(path, method)
    local reads = method == "GET" or method == "HEAD"
    if path == "/-/healthz" or path == "/-/readyz" then
      if not reads then return answers.refuse_method("GET, HEAD") end
      return path == "/-/readyz" and forward("receiver") or answers.text("ok\n")
    end
    if path:sub(1, 12) == "/-/webhooks/" then
      return method == "POST" and forward("receiver") or answers.refuse_method("POST")
    end
    if gateway[path:match("^/%-/(%l+)")] then
      return (reads or method == "POST") and forward("gateway") or answers.refuse_method("GET, HEAD, POST")
    end
    return answers.absent()
  end

  -- Of a job's own files: their marker, which lies beside the job's page, and their names behind the job's folder. A log
  -- may still grow until its build has ended, and the sums with it: these two have a marker of their own.
  local function of_job(path)
    local at, file = path:match("^/[^/]+/[^/]+/builds/%d+/jobs/[^/]+/()(.+)$")
    if not at then return nil end
    local grows = file == "log.txt" or file == "log/" or file == "SHA256SUMS"
    return pages .. path:sub(1, at - 1) .. (grows and "final" or "settled"), file
  end

  -- Whether it is an address of a file that may be sent, and the marker that may call it immutable.
  local function is_public(path)
    local settled, file = of_job(path)
    if settled then
      if file == "job.json" then return true, nil end
      local kept = file == "log.txt" or file == "SHA256SUMS" or file:find("^artifacts/.")
      return kept or file:find("^artifacts%-by%-id/[^/]+/[^/]+$"), settled
    end
    local rest = path:match("^/[^/]+/[^/]+/builds/%d+/(.+)$")
    if not rest then return false end
    return rest == "build.json" or rest == "upstream.json" or rest:find("^artifacts/.") or rest:find("^steps/[^/]+/artifacts/.")
  end

  -- What was found out about the paths of files that were sent: patterns cost more than all else here, and the same
  -- files are asked for again and again. Depends on the path alone, never on what is on the disk.
  local known, held = {}, 0

  local function file(path)
    local found = known[path]
    if found then return files.send(tree .. path, files.untrusted, found.settled, found) end
    local public, settled = is_public(path)
    if not public then return nil end
    found = { settled = settled }
    local status = files.send(tree .. path, files.untrusted, settled, found)
    if status then
      if held >= 4096 then known, held = {}, 0 end
      known[path], held = found, held + 1
    end
    return status
  end

  -- Folders whose names are upstream's.
  local function is_upstreams(path)
    local rest = path:match("^/[^/]+/[^/]+/builds/%d+/(.*)$")
    if not rest then return false end
    return rest:find("^artifacts/") or rest:find("^jobs/[^/]+/artifacts/") or rest:find("^steps/[^/]+/artifacts/")
  end

  local function page(path)
    local settled, rest = of_job(path)
    return files.send(pages .. path .. "index.html", answers.page_policy, rest == "log/" and settled or nil)
  end

  local function folder(path)
    local query = attribute["uri.query"] or ""
    local listed = ("&" .. query .. "&"):find("&list[=&]")
    local status = pointers.answer(path) or pointers.moved(path)
    if not status and not listed and is_upstreams(path) then
      status = files.send(tree .. path .. "index.html", files.untrusted, nil)
    end
    -- A page knows no questions: those about builds, and how to list, are the gateway's.
    local asks = listed and query ~= "list" or query ~= "" and path:find("^/[^/]+/[^/]+/builds/$")
    if not status and not asks then status = page(path) end
    return status or forward("gateway")
  end

  local function slash(path)
    if not files.is_folder(tree .. path) and not files.is_file(pages .. path .. "/index.html") then return nil end
    local query = attribute["uri.query"] or ""
    return answers.redirect(301, attribute["uri.path-raw"] .. "/" .. (query == "" and "" or "?" .. query))
  end

  local function reader(path, method)
    if method ~= "GET" and method ~= "HEAD" then return answers.refuse_method("GET, HEAD") end
    if path:sub(1, 15) == "/organizations/" then return forward("gateway") end
    if path:byte(-1) == 47 then return folder(path) end
    return file(path) or slash(path) or pointers.answer(path) or pointers.moved(path) or answers.absent()
  end

  local function answer()
    answers.new_id()
    answers.clean_for_log()
    if not hosts[attribute["uri.authority"]] then
      return answers.fail(421, "ERR_MISDIRECTED", "this host is not the one that KITEMIRROR_URL names")
    end
    local path, method = attribute["uri.path"], attribute["request.method"]
    if path:byte(2) == 45 and path:byte(3) == 47 then return system(path, method) end
    return reader(path, method)
  end

  return { lighty = lighty, answer = answer, fail = answers.broken }
end
