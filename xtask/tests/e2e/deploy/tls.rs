//! A login through a proxy with TLS in front of the stack, as a browser makes it.

use duct::cmd;

use crate::deploy::stack::{Stack, docker, wait_for};
use crate::engine::IMAGE;

/// The networks that Docker takes addresses from: a proxy in another container is in one of them.
pub(crate) const TRUSTED_PROXIES: &str = "TRUSTED_PROXIES=10.0.0.0/8, 172.16.0.0/12,192.168.0.0/16\n";

/// `HAProxy` with a certificate of its own.
const PROXY: &str = r#"
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=example.org \
    -addext subjectAltName=DNS:example.org -keyout /tmp/tls.pem.key -out /tmp/tls.pem
cat > /tmp/tls.cfg <<CONFIG
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
listen tls
    bind :443 ssl crt /tmp/tls.pem
    http-request set-header X-Forwarded-Proto https
    option forwardfor
    server proxy proxy:8000
CONFIG
exec haproxy -db -f /tmp/tls.cfg
"#;

/// `python3 -c LOGIN URL ORIGIN [HEADER VALUE]`: logs in as a browser does that sees `ORIGIN`, and prints the status of the
/// login and that of the page after it.
const LOGIN: &str = r#"
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

url, origin, *header = sys.argv[1:]
headers = {"Host": "example.org", "Origin": origin, "Referer": f"{origin}/admin/login/"}
headers.update(zip(header[::2], header[1::2]))


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


tls = ssl.create_default_context(cafile="/tmp/tls.pem") if url.startswith("https:") else None
opener = urllib.request.build_opener(
    NoRedirect, urllib.request.HTTPCookieProcessor(), urllib.request.HTTPSHandler(context=tls)
)


def ask(path, form=None):
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        return opener.open(urllib.request.Request(url + path, data, headers), timeout=60)
    except urllib.error.HTTPError as response:
        return response


token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', ask("/admin/login/").read().decode())[1]
form = {"username": "admin", "password": "of-the-tests", "csrfmiddlewaretoken": token, "next": "/"}
print(ask("/admin/login/", form).status, ask("/").status)
"#;

/// A container that is removed when dropped.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = cmd!("docker", "rm", "--force", &self.0).stdout_null().stderr_null().unchecked().run();
    }
}

/// Users log in through a proxy that the stack trusts, and no other client gets its requests taken for https.
pub(crate) fn logins(stack: &Stack) {
    stack.python(
        "from django.contrib.auth.models import User; User.objects.create_superuser('admin', password='of-the-tests')",
    );
    let tls = Container(format!("{}-tls", stack.name));
    let network = format!("{}_edge", stack.name);
    let run = ["run", "--detach", "--init", "--name", &tls.0, "--network", &network];
    // It answers to the name of the service, as far as the client in it is concerned.
    docker(&[&run[..], &["--add-host", "example.org:127.0.0.1", IMAGE, "bash", "-c", PROXY]].concat());
    let connect = ["exec", &tls.0, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/443"];
    wait_for("the proxy with TLS", || {
        cmd("docker", connect).stderr_null().unchecked().run().is_ok_and(|it| it.status.success())
    });

    let login =
        |from: &str, args: &[&str]| docker(&[&["exec", from, "python3", "-c", LOGIN], args].concat()).trim().to_owned();
    let (http, https) = ("http://example.org", "https://example.org");
    assert_eq!(login(&tls.0, &[https, https]), "302 200");
    // An address that is not trusted: logins through http work, and no header makes https of it.
    let (proxy, here) = (stack.id("proxy"), "http://127.0.0.1:8000");
    assert_eq!(login(&proxy, &[here, http]), "302 200");
    for header in ["X-Forwarded-Proto", "X_Forwarded_Proto"] {
        assert_eq!(login(&proxy, &[here, https, header, "https"]), "403 302", "{header}");
        assert_eq!(login(&proxy, &[here, http, header, "https"]), "302 200", "{header}");
    }
}
