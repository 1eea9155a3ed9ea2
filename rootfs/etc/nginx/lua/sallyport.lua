-- The data plane: nginx.conf calls these functions, by the global "sallyport".
-- Nothing here may know what a controller or a cluster is.

local M = {}

--- init runs in the master, at its start and at each reload, and in nginx -t.
-- options.dir: the work folder; options.unavailable: the address that answers
-- 503; options.names: the access log shows $proxy_upstream_name;
-- options.shown: variables of the route that the access log shows, or nil;
-- options.own and options.own_tls: the addresses where nginx asks itself, without
-- and with TLS, or nil;
-- options.limits: requests or connections are counted;
-- options.reject_handshake: no TLS for hosts that are not known;
-- options.client_header: the header that names the client, or nil;
-- options.tracing: how spans are sampled, and how many are kept for the collector;
-- options.metrics: histogram bounds {time, length, size}, rows and, where there are native
-- histograms, their schema; or nil.
function M.init(options)
    local data = require("sallyport.data")
    local auth = require("sallyport.feature.auth")
    local balancer = require("sallyport.balancer")
    local certificate = require("sallyport.certificate")
    local choice = require("sallyport.choice")
    local control = require("sallyport.control")
    local errors = require("sallyport.feature.errors")
    local phases = require("sallyport.phases")
    local retire = require("sallyport.retire")

    auth.init(options.own, options.own_tls)
    data.init(options.dir)
    local requests = options.metrics and require("sallyport.requests")
    balancer.init(options.unavailable, options.names, requests and requests.split)
    certificate.init(options.reject_handshake)
    phases.init()
    require("sallyport.authrequest").init(options.client_header)
    if options.tracing then
        local spans = require("sallyport.spans")
        spans.init(options.tracing)
        control.spans = spans.told() and spans.take or nil
    end

    M.balance = balancer.balance
    M.mirror = balancer.mirror
    M.certificate = certificate.certificate
    M.host_certificate = certificate.host_certificate
    M.control = control.control
    M.rewrite = phases.rewrite
    M.access = phases.access
    M.header = phases.header
    M.errors = errors.rewrite
    M.error_status = errors.status

    local release = options.limits and require("sallyport.feature.limit").release
    if requests then
        requests.init(options.metrics)
        M.exit = requests.flush_at_exit
        control.requests = requests.rows
    end
    local show = options.shown and require("sallyport.shown").prepare(options.shown)
    local measure = choice.log
    local count = requests and requests.log

    --- log runs when a request is over.
    function M.log()
        measure()
        if show then
            show()
        end
        if release then
            release()
        end
        if count then
            count()
        end
    end

    --- finish is log for a location whose route may have steps in that phase.
    function M.finish()
        phases.log()
        M.log()
    end

    --- worker runs once in each worker that starts.
    function M.worker(generation)
        balancer.start()
        retire.start()
        if requests then
            requests.start()
        end
        -- Last: whoever sees the new generation may count on this worker.
        data.started(generation)
    end

    sallyport = M
    -- What a decoded data file leaves behind would be copied into each worker.
    collectgarbage()
end

return M
