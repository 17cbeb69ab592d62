using System.Diagnostics;

namespace Couic.IntegrationTests.Harness;

/// <summary>Debian's nginx with TLS on port 2900 of a namespace, in front of a daemon's socket.</summary>
internal sealed class TlsProxy : IDisposable
{
    private readonly Process _nginx;

    /// <param name="address">What its certificate is for, besides <c>localhost</c>.</param>
    /// <param name="more">Further lines of nginx's server block.</param>
    public TlsProxy(NetSpace space, Scratch scratch, string name, string socket, string address, bool isExpired = false, string more = "")
    {
        string home = scratch.Folder(name);
        using Authority authority = new(scratch, $"{name}/ca");
        Authority = authority.File;
        (string certificate, string key) = authority.Issue($"{name}/server", ["localhost", address], isExpired);
        string config = scratch.File($"{name}/nginx.conf", $$"""
            daemon off;
            user nobody nogroup;
            pid {{home}}/nginx.pid;
            error_log stderr;
            worker_processes 1;
            events { worker_connections 64; }
            http {
              access_log off;
              client_body_temp_path {{home}}/body;
              proxy_temp_path {{home}}/proxy;
              fastcgi_temp_path {{home}}/fastcgi;
              uwsgi_temp_path {{home}}/uwsgi;
              scgi_temp_path {{home}}/scgi;
              upstream couic { server unix:{{socket}}; keepalive 4; }
              server {
                listen 2900 ssl;
                ssl_certificate {{certificate}};
                ssl_certificate_key {{key}};
                {{more}}
                client_max_body_size 0;
                location / { proxy_pass http://couic; proxy_http_version 1.1; proxy_set_header Connection ""; }
              }
            }
            """);
        _nginx = Shell.Start(space, new ProcessStartInfo("nginx", ["-p", home, "-c", config]));
    }

    /// <summary>The certificate of the authority that signed the server's.</summary>
    public string Authority { get; }

    public void Dispose()
    {
        _ = Libc.kill(_nginx.Id, Libc.SIGTERM);
        _nginx.WaitForExit();
        _nginx.Dispose();
    }
}
