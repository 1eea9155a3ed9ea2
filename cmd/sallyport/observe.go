package main

import (
	"time"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/metrics"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// observer tells the metrics what the controller did.
type observer struct{ *metrics.Metrics }

// Built notes what a build came to.
func (o observer) Built(r *build.Result, refused int) {}

// Generation notes what nginx runs with.
func (o observer) Generation(generation string) {}

// Pushed notes a push.
func (o observer) Pushed(items int, took time.Duration, err error) { o.Metrics.Pushed(items, took, err) }

func (o *options) metrics(proxy *nginx.Nginx) *metrics.Metrics {
	return &metrics.Metrics{}
}
