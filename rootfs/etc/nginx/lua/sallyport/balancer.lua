-- A request's route id → the address of an endpoint.
-- balance() is on the path of every request: LuaJIT must be able to compile it
-- as one trace, so it has no closures, varargs, loops or string building.

local choice = require("sallyport.choice")
local items = require("sallyport.data")
local ngx_balancer = require("ngx.balancer")
local routes = require("sallyport.routes")
local schedule = require("sallyport.schedule")

local M = {}

local var = ngx.var
local data = items.dict
local random = math.random
local get_last_failure = ngx_balancer.get_last_failure
local set_current_peer = ngx_balancer.set_current_peer
local set_more_tries = ngx_balancer.set_more_tries

-- The most endpoints that one request may try beside the first. nginx's own
-- proxy_next_upstream_tries is usually lower.
local MAX_MORE_TRIES = 15

local unavailable  -- address of the server that answers 503
local names        -- the access log shows what a route's backend is called
local split        -- function of a route that has given a request to its canary

local nobody = { size = 0 }
local backends = {} -- by backend id: { epoch, text, size, next, more, [1..size] }

-- fill replaces a backend's endpoints and keeps its turn: with a turn that
-- begins anew at each push, the first endpoint would get the most requests.
local function fill(backend, key, text)
    local order, count = schedule.order(routes.decode(key, text).endpoints)
    choice.keep(backend, order)
    for i = 1, math.max(#order, backend.size) do
        backend[i] = order[i]
    end
    backend.text = text
    backend.seeds = nil
    backend.size = #order
    backend.more = math.min(count - 1, MAX_MORE_TRIES)
    if backend.next > backend.size then
        backend.next = random(math.max(backend.size, 1))
    end
end

local function current_backend(id)
    if not id then
        return nobody
    end
    local backend = backends[id]
    local epoch = routes.epoch()
    if backend and backend.epoch == epoch then
        return backend
    end
    local key = "b:" .. id
    local text = data:get(key)
    if not text then
        backends[id] = nil
        return nobody
    end
    if not backend then
        -- Workers that start together must not walk in step.
        backend = { id = id, name = id:gsub("/", "-"), size = 0, next = math.huge }
        backends[id] = backend
    end
    if backend.text ~= text then
        fill(backend, key, text)
    end
    backend.epoch = epoch
    return backend
end

-- renew gives a route its backend, and its way to choose if it has one.
local function renew(route)
    local value = route.value
    local id = value.backend
    route.backend = current_backend(type(id) == "string" and id or nil)
    if value.canary then
        route.canary = current_backend(value.canary.backend)
    end
    if route.chosen_text ~= route.text then
        route.chosen_text = route.text
        route.choice = choice.prepare(value)
    end
end

-- untried says whether the request has not tried an endpoint yet.
local function untried(peer)
    -- nginx parts them by commas, and by a colon before the try at hand, which has
    -- no address yet.
    local tried = ", " .. (var.upstream_addr or ""):gsub(" : ", ", ") .. ", "
    return not tried:find(", " .. peer.address .. ":" .. peer.port .. ", ", 1, true)
end

-- another returns an endpoint that the request has not tried yet, or any.
local function another(backend)
    local i = backend.next
    for _ = 1, backend.size do
        local peer = backend[i]
        i = i % backend.size + 1
        if untried(peer) then
            backend.next = i
            return peer
        end
    end
    return backend[backend.next]
end

-- special chooses for a route that does not just have its endpoints take turns.
local function special(route)
    local failed = get_last_failure() ~= nil
    local backend, way, ctx = route.backend, route.choice.main, nil
    if route.choice.remembers then
        ctx = ngx.ctx
        if not ctx.backend then
            ctx.backend, ctx.way = choice.backend(route)
        end
        backend, way = ctx.backend, ctx.way
        ctx.peer = nil
    end
    if backend ~= route.backend and (names or split) then
        var.proxy_alternative_upstream_name = backend.name
        if split then
            split(route)
        end
    end
    local size = backend.size
    if size == 0 then
        set_current_peer(unavailable)
        return
    end
    local peer
    if failed and size > 1 then
        peer = choice.redrawn(backend, way, untried) or another(backend)
    else
        peer = choice.peer(route, backend, way)
        if not failed and size > 1 then
            set_more_tries(backend.more)
        end
    end
    if ctx then
        ctx.peer = peer
    end
    if not set_current_peer(peer.address, peer.port) then
        set_current_peer(unavailable)
    end
end

--- balance chooses where a request goes. It never fails: without an endpoint,
-- the request goes to the server that answers 503.
function M.balance()
    local route = routes.get(var.route)
    if names then
        var.proxy_upstream_name = route.name
    end

    if route.choice then
        return special(route)
    end

    local backend = route.backend
    local size = backend.size
    if size == 0 then
        set_current_peer(unavailable)
        return
    end
    local peer
    if size == 1 then
        peer = backend[1]
    elseif get_last_failure() then
        peer = another(backend)
    else
        local i = backend.next
        peer = backend[i]
        if i < size then
            backend.next = i + 1
        else
            backend.next = 1
        end
        set_more_tries(backend.more)
    end
    if not set_current_peer(peer.address, peer.port) then
        set_current_peer(unavailable)
    end
end

--- mirror chooses where the copy of a request goes. A subrequest shares the
-- request's variables, so it can't have a $route: the id stands in nginx.conf.
function M.mirror(id)
    local backend = routes.get(id).backend
    local peer = backend.size > 0 and backend[random(backend.size)]
    if not peer or not set_current_peer(peer.address, peer.port) then
        set_current_peer(unavailable)
    end
end

--- pick returns an endpoint of a backend: address and port, or nil.
function M.pick(id)
    local backend = current_backend(id)
    local size = backend.size
    if size == 0 then
        return nil
    end
    local i = backend.next
    backend.next = i % size + 1
    return backend[i].address, backend[i].port
end

--- init runs in the master: address is that of the server that answers 503;
-- named says that the access log shows $proxy_upstream_name; count_apart is called
-- with a route that has given a request to its canary, where requests are counted.
function M.init(address, named, count_apart)
    unavailable = address
    names = named
    split = count_apart
    routes.init(renew)
end

--- start runs in a worker, before its first request.
function M.start()
    math.randomseed(ngx.now() * 1000 + ngx.worker.pid() * 7919)
end

return M
