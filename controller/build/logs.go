package build

// logs says what of a site is logged.
func (t *task) logs(s *site) {
	s.location.NoAccessLog = s.values.Logs.NoAccess
	if s.values.Logs.Rewrite {
		s.route.RewriteLog = true
		s.location.Phases.Rewrite = true
	}
}
