package build

// cookie rewrites cookies. nginx's default is off, so that is written only where
// the ConfigMap says otherwise.
func (t *task) cookie(s *site) {
	c, settings := s.values.Cookie, &t.result.Config.Settings
	if c.Domain == "off" && settings.ProxyCookieDomain == "" {
		c.Domain = ""
	}
	if c.Path == "off" && settings.ProxyCookiePath == "" {
		c.Path = ""
	}
	s.location.Cookie = c
}
