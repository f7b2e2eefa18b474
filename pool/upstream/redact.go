package upstream

import "strings"

// maxQuote bounds how much of a bad line an error repeats, in bytes.
const maxQuote = 120

// redact is an endpoint's text, split at spaces, as an error may show it:
// without anything that is, or that a slip may have turned from, credentials.
func redact(fields []string) string {
	url, rest := fields[0], fields[1:]
	if isSplit(rest) {
		return clip(redactURL(strings.Join(fields, " ")))
	}
	return clip(strings.Join(append([]string{redactURL(url)}, rest...), " "))
}

// redactURL replaces all before the last '@'. Without one, it keeps what can
// only be a scheme, a host and a port, for "user:password" may just lack its
// '@' and host.
func redactURL(s string) string {
	scheme := ""
	for _, sep := range []string{"://", "//", ":/"} {
		if before, after, found := strings.Cut(s, sep); found && isScheme(before) {
			scheme, s = before+sep, after
			break
		}
	}
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return scheme + "***" + s[at:]
	}
	if strings.HasPrefix(s, "[") {
		if host, port, found := strings.Cut(s, "]"); found {
			if strings.Trim(port, ":0123456789/") == "" {
				return scheme + s
			}
			return scheme + host + "]***"
		}
	}
	host, port, found := strings.Cut(s, ":")
	if found && strings.Trim(port, ":0123456789/") != "" {
		return scheme + host + ":***"
	}
	return scheme + s
}

func clip(s string) string {
	if len(s) <= maxQuote {
		return s
	}
	return strings.ToValidUTF8(s[:maxQuote], "") + "..."
}
