package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

func readLimits(r *option.Reader, s *model.Settings) {
	s.LimitRequestStatus = number(r, "limit-req-status-code", 503, 400, 599, "The status for a request beyond limit-rps or limit-rpm.")
	s.LimitConnectionStatus = number(r, "limit-conn-status-code", 503, 400, 599, "The status for a request beyond limit-connections.")
	s.LimitRate = number(r, "limit-rate", 0, 0, 1<<30, "How many KB of a response are sent a second, on one connection. 0 sets no limit.")
	s.LimitRateAfter = number(r, "limit-rate-after", 0, 0, 1<<30, "How many KB of a response are sent before limit-rate holds.")
}
