-- A request of a route with a canary, an affinity or a balance of its own → its
-- backend and endpoint.

local canary = require("sallyport.canary")
local hash = require("sallyport.hash")
local session = require("sallyport.session")
local words = require("sallyport.words")

local M = {}

local ngx = ngx
local random = math.random

-- How long a measured time counts, in seconds: after it, it weighs a third.
local DECAY_SECONDS = 10

-- How many keys are drawn to find one whose endpoint has not been tried: each
-- costs a look at all endpoints.
local MAX_DRAWS = 32

-- Whether this worker has sent a request by time: until then, none has to be
-- looked at when it is over.
local timed = false

-- way_of returns how an endpoint is chosen: by a cookie, else by a key, else by
-- time, else one after the other.
local function way_of(affinity, balance)
    balance = balance or {}
    return {
        affinity = affinity and session.prepare(affinity),
        key = balance.hashBy and words.compile(balance.hashBy),
        subset = balance.subset,
        ewma = balance.ewma,
    }
end

--- prepare returns what a route's item says of choosing, or nil.
function M.prepare(value)
    local other = value.canary
    if not (other or value.affinity or value.balance) then
        return nil
    end
    local choice = { main = way_of(value.affinity, value.balance) }
    -- Whether a request's later tries, or its log, have to know what was chosen.
    choice.remembers = other ~= nil or choice.main.ewma
    if other then
        choice.canary = canary.prepare(other)
        choice.other = way_of(other.affinity or not other.legacy and value.affinity or nil, other.balance)
        choice.legacy = other.legacy or value.affinity and value.affinity.legacy
    end
    return choice
end

-- known reads the client's cookie.
local function known(route, affinity)
    return session.read(affinity, route.backend.id or "", route.canary and route.canary.id)
end

-- kept returns the id of the backend that a cookie keeps the client with, if one
-- does.
local function kept(route)
    local c = route.choice
    local affinity = c.main.affinity or c.other.affinity
    if not affinity or c.legacy then
        return nil
    end
    local _, id = known(route, affinity)
    return id
end

--- backend returns the backend of a request, the route's or its canary's, and
-- the way to choose of its endpoints. One without endpoints is passed by.
function M.backend(route)
    local c = route.choice
    if not c.canary or route.canary.size == 0 then
        return route.backend, c.main
    end
    local id = kept(route)
    if id and id == route.canary.id or not id and canary.takes(c.canary) then
        return route.canary, c.other
    end
    return route.backend, c.main
end

local function seeds_of(backend)
    local seeds = backend.seeds
    if not seeds then
        seeds = {}
        for i = 1, backend.size do
            seeds[i] = hash.seed(backend[i].address, backend[i].port)
        end
        backend.seeds = seeds
    end
    return seeds
end

-- identity is what a persistent cookie knows an endpoint by.
local function identity(peer)
    return ngx.md5(peer.address .. ":" .. peer.port)
end

local function of_session(route, backend, affinity)
    local key, with = known(route, affinity)
    if with ~= backend.id then
        key = nil
    end
    if affinity.persistent then
        for i = 1, backend.size do
            if key == identity(backend[i]) then
                return backend[i]
            end
        end
        local peer = backend[random(backend.size)]
        session.write(affinity, identity(peer), backend.id)
        return peer
    end
    if not key then
        key = session.fresh()
        session.write(affinity, key, backend.id)
    end
    return backend[hash.choose(key, seeds_of(backend), backend.size)]
end

-- of_key chooses by a key: its endpoint, or one of a few that are next to each
-- other in the order of addresses.
local function of_key(way, backend)
    local key = way.key()
    local size = backend.size
    local subset = way.subset
    if not subset or subset >= size then
        if subset then
            return backend[random(size)]
        end
        return backend[hash.choose(key, seeds_of(backend), size)]
    end
    local first = hash.choose(key, seeds_of(backend), size)
    return backend[(first - 1 + random(subset) - 1) % size + 1]
end

-- score is the time that an endpoint has taken of late, in seconds.
local function score(peer, now)
    if not peer.ewma then
        return 0
    end
    return peer.ewma * math.exp((peer.touched - now) / DECAY_SECONDS)
end

local function of_time(backend)
    timed = true
    local size = backend.size
    local i = random(size)
    if size == 1 then
        return backend[1]
    end
    local j = random(size - 1)
    if j >= i then
        j = j + 1
    end
    local now = ngx.now()
    return score(backend[i], now) <= score(backend[j], now) and backend[i] or backend[j]
end

--- peer returns the endpoint for a first try.
function M.peer(route, backend, way)
    if way.affinity then
        return of_session(route, backend, way.affinity)
    elseif way.key then
        return of_key(way, backend)
    elseif way.ewma then
        return of_time(backend)
    end
    local i = backend.next
    backend.next = i % backend.size + 1
    return backend[i]
end

--- redrawn returns an endpoint that the request has not tried, and gives the
-- client its key for good; nil where it may not, or finds none.
function M.redrawn(backend, way, untried)
    local affinity = way.affinity
    if not affinity or not affinity.changeOnFailure then
        return nil
    end
    for _ = 1, MAX_DRAWS do
        local key, peer
        if affinity.persistent then
            peer = backend[random(backend.size)]
            key = identity(peer)
        else
            key = session.fresh()
            peer = backend[hash.choose(key, seeds_of(backend), backend.size)]
        end
        if untried(peer) then
            session.write(affinity, key, backend.id)
            return peer
        end
    end
end

-- measure takes note of how long an endpoint took.
local function measure(backend, peer, seconds)
    local now = ngx.now()
    local old = math.exp(((peer.touched or 0) - now) / DECAY_SECONDS)
    peer.ewma = peer.ewma and peer.ewma * old + seconds * (1 - old) or seconds
    peer.touched = now
    backend.measured = true
end

--- keep hands what was measured of a backend's endpoints on to those that stay.
function M.keep(backend, order)
    if not backend.measured then
        return
    end
    local old = {}
    for i = 1, backend.size do
        local peer = backend[i]
        old[peer.address .. ":" .. peer.port] = peer
    end
    for i = 1, #order do
        local was = old[order[i].address .. ":" .. order[i].port]
        if was then
            order[i].ewma, order[i].touched = was.ewma, was.touched
        end
    end
end

--- log notes how long the endpoint of a request took that has ended.
function M.log()
    if not timed then
        return
    end
    local ctx = ngx.ctx
    local times = ctx.way and ctx.way.ewma and ctx.peer and ngx.var.upstream_response_time
    local seconds = times and tonumber(times:match("[%d.]+$"))
    if seconds then
        measure(ctx.backend, ctx.peer, seconds)
    end
end

return M
