package upstream_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

func ExampleParse() {
	s, err := upstream.Parse("socks5://me:p%40ss@198.51.100.7 provider=aws region=eu weight=3")
	fmt.Println(s, s.User, s.Password, s.Provider, s.Region, s.Weight, err)

	_, err = upstream.Parse("http://me:secret@198.51.100.7:3128")
	fmt.Println(err)
	// Output:
	// 198.51.100.7:1080 me p@ss aws eu 3 <nil>
	// "http://***@198.51.100.7:3128": unsupported scheme "http": only socks5 and socks5h are
}

func ExampleParseList() {
	_, err := upstream.ParseList("endpoints.txt", strings.NewReader(`# mine
socks5://198.51.100.7
socks5//198.51.100.8
socks5://198.51.100.9:99999
socks5://198.51.100.7:1080   # again
`))
	fmt.Println(err)
	// Output:
	// endpoints.txt:3: "socks5//198.51.100.8": missing ':' after the scheme
	// endpoints.txt:4: "socks5://198.51.100.9:99999": the port is not between 1 and 65535
	// endpoints.txt:5: "198.51.100.7:1080": the same endpoint as on line 2
}

func TestParse(t *testing.T) {
	for _, tc := range []struct{ in, name, user, password string }{
		{"socks5://198.51.100.7:1080", "198.51.100.7:1080", "", ""},
		{"socks5h://198.51.100.7", "198.51.100.7:1080", "", ""},
		{"SOCKS5://Proxy.Example.ORG.:9050/", "proxy.example.org:9050", "", ""},
		{"198.51.100.7:9050", "198.51.100.7:9050", "", ""},
		{"localhost", "localhost:1080", "", ""},
		{"me:secret@localhost", "localhost:1080", "me", "secret"},
		{"socks5://[2001:DB8::1]:1081", "[2001:db8::1]:1081", "", ""},
		{"socks5://[2001:db8::1]", "[2001:db8::1]:1080", "", ""},
		{"socks5://[::ffff:198.51.100.7]", "198.51.100.7:1080", "", ""},
		{"socks5://me@host_1", "host_1:1080", "me", ""},
		{"socks5://me:@h", "h:1080", "me", ""},
		{"socks5://m%65:a%3Ab%2Fc%20d@h", "h:1080", "me", "a:b/c d"},
		{"socks5://me:a:b@c@h", "h:1080", "me", "a:b@c"},
		{"socks5://me:a/b?c@h", "h:1080", "me", "a/b?c"},
		{"socks5://" + strings.Repeat("u", 255) + ":" + strings.Repeat("p", 255) + "@h", "h:1080", strings.Repeat("u", 255), strings.Repeat("p", 255)},
	} {
		s, err := upstream.Parse(tc.in)
		if err != nil {
			t.Errorf("%q: %v", tc.in, err)
			continue
		}
		if s.Name() != tc.name || s.User != tc.user || s.Password != tc.password {
			t.Errorf("%q: %q %q %q, want %q %q %q", tc.in, s.Name(), s.User, s.Password, tc.name, tc.user, tc.password)
		}
		if again, err := upstream.Parse(upstream.Format(s)); err != nil || again != s {
			t.Errorf("%q: reads back as %+v, %v", tc.in, again, err)
		}
	}
}

func TestParseLabels(t *testing.T) {
	s, err := upstream.Parse("socks5://198.51.100.7  provider=aws\tregion=Frankfurt%20am%20Main owner=me@example.org weight=1000")
	want := policy.Spec{Host: "198.51.100.7", Port: 1080, Provider: "aws", Region: "Frankfurt am Main", Owner: "me@example.org", Weight: 1000}
	want.Addr = s.Addr
	if err != nil || s != want || s.Addr.String() != "198.51.100.7" {
		t.Errorf("got %+v, %v", s, err)
	}
	if again, err := upstream.Parse(upstream.Format(s)); err != nil || again != s {
		t.Errorf("reads back as %+v, %v", again, err)
	}
}

// secret marks what no error may show.
const secret = "hunter2"

func TestParseErrors(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", "empty"},
		{"socks5//198.51.100.7", "missing ':' after the scheme"},
		{"socks5h:/198.51.100.7", "socks5h://"},
		{"socks5://", "missing the host"},
		{"socks5://:1080", "missing the host"},
		{"://198.51.100.7", "missing the scheme"},
		{"me@socks5://198.51.100.7", "scheme must come first"},
		{"http://198.51.100.7:3128", "socks5 and socks5h"},
		{"socks4://198.51.100.7", "socks5 and socks5h"},
		{"ss://hunter2@198.51.100.7", "socks5 and socks5h"},
		{"socks5://198.51.100.7:", "missing the port"},
		{"socks5://198.51.100.7:0", "between 1 and 65535"},
		{"socks5://198.51.100.7:99999", "between 1 and 65535"},
		{"socks5://198.51.100.7:http", "not a number"},
		{"socks5://198.51.100.7:+80", "not a number"},
		{"socks5://198.51.100.7:1080/path", "nothing may follow"},
		{"socks5://198.51.100.7:1080?x=hunter2", "nothing may follow"},
		{"socks5://2001:db8::1", "brackets"},
		{"socks5://a:b:c", "too many ':'"},
		{"socks5://[2001:db8::1", "missing ']'"},
		{"socks5://[2001:db8::1]1080", "after ']'"},
		{"socks5://[198.51.100.7]:1080", "not an IPv6 address"},
		{"socks5://[fe80::1%25eth0]:1080", "zone"},
		{"socks5://0.0.0.0:1080", "not one of a single host"},
		{"socks5://[ff02::1]:1080", "not one of a single host"},
		{"socks5://300.1.1.1", "not an IPv4 address"},
		{"socks5://1.2.3", "not an IPv4 address"},
		{"socks5://a..b", "malformed host"},
		{"socks5://-a", "malformed host"},
		{"socks5://a!b", "malformed host"},
		{"socks5://münchen.example", "xn--"},
		{"socks5://" + strings.Repeat("a", 64), "1 to 63"},
		{"socks5://" + strings.Repeat("a.", 130), "longer than 253"},
		{"socks5://:hunter2@198.51.100.7", "without a user"},
		{"socks5://@198.51.100.7", "empty user"},
		{"socks5://me:hunter2%@198.51.100.7", "%25"},
		{"socks5://hunter2%zz:x@198.51.100.7", "%25"},
		{"socks5://" + strings.Repeat("hunter2", 40) + ":x@198.51.100.7", "280 bytes"},
		{"socks5://me:" + strings.Repeat("hunter2", 40) + "@198.51.100.7", "280 bytes"},
		{"socks5://me:hunter2", "not a number"},
		{"socks5://me:hunter2 hunter2@198.51.100.7", "%20"},
		{"socks5://me:hunter2 x=hunter2@198.51.100.7", "%20"},
		{"socks5://me:hunter2@198.51.100.7 colour=blue", "provider, region, owner, weight"},
		{"socks5://198.51.100.7 colour=blue", `unknown label "colour"`},
		{"socks5://198.51.100.7 blue", "key=value"},
		{"socks5://198.51.100.7 region=", "empty"},
		{"socks5://198.51.100.7 region=a region=b", "twice"},
		{"socks5://198.51.100.7 region=%1b[2J", "printed"},
		{"socks5://198.51.100.7 region=%f", "%-escape"},
		{"socks5://198.51.100.7 weight=0", "between 1 and 1000"},
		{"socks5://198.51.100.7 weight=1001", "between 1 and 1000"},
		{"socks5://198.51.100.7 weight=-1", "not a number"},
		{"socks5://198.51.100.7 weight=99999999999999999999", "between 1 and 1000"},
	} {
		s, err := upstream.Parse(tc.in)
		if err == nil {
			t.Errorf("%q: read as %+v, want an error", tc.in, s)
			continue
		}
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: error %q, want %q in it", tc.in, err, tc.want)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error shows the secret: %v", tc.in, err)
		}
	}
}

func TestParseList(t *testing.T) {
	specs, err := upstream.ParseList("x", strings.NewReader("\ufeff# mine\r\n\r\n  socks5://a:b@198.51.100.7:1 weight=2 # the old one\r\n198.51.100.8\t#x\r\n#198.51.100.9\r\nh"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range specs {
		names = append(names, s.Name())
	}
	if got := strings.Join(names, " "); got != "198.51.100.7:1 198.51.100.8:1080 h:1080" || specs[0].Weight != 2 {
		t.Errorf("got %s", got)
	}
	if specs, err := upstream.ParseList("x", strings.NewReader("# nothing\n")); err != nil || len(specs) != 0 {
		t.Errorf("an empty list: %v, %v", specs, err)
	}
}

func TestParseListErrors(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"h\n" + strings.Repeat("x", 20_000) + "\n", "x:2: line longer"},
		{"\xff\xfeh\x00\n", "UTF-16"},
		{"a\nb\nA.\n", `x:3: "a:1080": the same endpoint as on line 1`},
	} {
		if _, err := upstream.ParseList("x", strings.NewReader(tc.in)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.20q: error %v, want %q in it", tc.in, err, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"socks5://me:p%40ss@198.51.100.7:1080 provider=aws", "[::1]:80", "socks5//x", "a@b@c:d", "h weight=3 region=%20",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := upstream.Parse(in)
		if err != nil {
			return
		}
		if s.Host == "" || s.Port == 0 || len(s.User) > 255 || len(s.Password) > 255 || s.User == "" && s.Password != "" || s.Weight < 0 || s.Weight > 1000 {
			t.Errorf("%q: %+v", in, s)
		}
		again, err := upstream.Parse(upstream.Format(s))
		if err != nil || again != s {
			t.Errorf("%q: %+v reads back as %+v, %v", in, s, again, err)
		}
	})
}

// FuzzNoSecret puts a password into URLs that are broken elsewhere.
func FuzzNoSecret(f *testing.F) {
	f.Add("socks5://", "me", "h:0", " x=y")
	f.Add("socks5//", "", "h", "")
	f.Add("", "%", "", " a b")
	f.Fuzz(func(t *testing.T, scheme, user, host, labels string) {
		if strings.Contains(scheme+user+host+labels, secret[:3]) {
			return
		}
		for _, password := range []string{secret, secret + " " + secret, secret + "@" + secret, secret + "%", secret + "/" + secret, secret + "#" + secret} {
			in := scheme + user + ":" + password + "@" + host + labels
			if _, err := upstream.Parse(in); err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v", in, err)
			}
			if _, err := upstream.ParseList("x", strings.NewReader(in+"\n"+in)); err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("list of %q: %v", in, err)
			}
		}
	})
}

func FuzzParseList(f *testing.F) {
	f.Add("a\nb:0\n# c\nsocks5://u:p@d weight=3")
	f.Fuzz(func(t *testing.T, in string) {
		specs, err := upstream.ParseList("x", strings.NewReader(in))
		if err != nil {
			if specs != nil {
				t.Error("endpoints beside an error")
			}
			return
		}
		var b strings.Builder
		for _, s := range specs {
			b.WriteString(upstream.Format(s) + "\n")
		}
		again, err := upstream.ParseList("x", strings.NewReader(b.String()))
		if err != nil || len(again) != len(specs) {
			t.Fatalf("reads back as %d of %d: %v", len(again), len(specs), err)
		}
		for i := range again {
			if again[i] != specs[i] {
				t.Errorf("line %d: %+v, want %+v", i, again[i], specs[i])
			}
		}
	})
}
