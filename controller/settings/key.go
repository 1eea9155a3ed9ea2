package settings

import (
	"time"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// The functions here read one key each: its name, its default, what it does.

func flag(r *option.Reader, name string, value bool, doc string) bool {
	return option.Key[bool]{Name: name, Doc: doc, Default: value, Check: option.Bool}.Get(r)
}

func onOff(r *option.Reader, name string, value bool, doc string) bool {
	return option.Key[bool]{Name: name, Doc: doc, Default: value, Check: option.Switch}.Get(r)
}

func number(r *option.Reader, name string, value, least, most int, doc string) int {
	return option.Key[int]{Name: name, Doc: doc, Default: value, Check: option.Int(least, most)}.Get(r)
}

func seconds(r *option.Reader, name string, value int, doc string) time.Duration {
	return option.Key[time.Duration]{Name: name, Doc: doc, Default: time.Duration(value) * time.Second, Check: option.Seconds}.Get(r)
}

func milliseconds(r *option.Reader, name string, value int, doc string) time.Duration {
	return time.Duration(number(r, name, value, 1, 3600_000, doc)) * time.Millisecond
}

func duration(r *option.Reader, name string, value time.Duration, doc string) time.Duration {
	return option.Key[time.Duration]{Name: name, Doc: doc, Default: value, Check: option.Duration}.Get(r)
}

func size(r *option.Reader, name, value, doc string) string {
	return text(r, name, value, option.Size, doc)
}

func text(r *option.Reader, name, value string, check option.Check[string], doc string) string {
	return option.Key[string]{Name: name, Doc: doc, Default: value, Check: check}.Get(r)
}

// bufferSize keeps a buffer large enough for a line and small enough to have
// one for each connection.
var bufferSize = option.SizeFrom(512, 1<<24)
