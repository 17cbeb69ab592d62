using System.Net;
using System.Net.Sockets;
using System.Text;
using Couic.Api;
using Couic.Api.Access;
using Couic.Http;
using Couic.Native;
using Couic.Sets;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Couic.Tests.Api;

/// <summary>A server with the whole API on a Unix socket, a data plane in memory, and one client of each group.</summary>
internal sealed class ApiRig : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Dictionary<Group, Client> _clients = [];

    public ApiRig(HttpLimits? limits = null, StoreLimits? storeLimits = null, Action<Router>? more = null, TimeProvider? time = null, ILoggerFactory? logs = null, TimeProvider? loopTime = null, TlsContext? tls = null)
    {
        var wanted = new List<Client>();
        foreach (Group group in Enum.GetValues<Group>())
        {
            wanted.Add(_clients[group] = new Client(group.Name(), group, Guid.NewGuid()));
        }

        wanted.Add(new Client(ClientDirectory.DefaultClient, Group.Admin, Guid.NewGuid()));
        Clients = new ClientDirectory(Directory.CreateDirectory(_folder["clients"]).FullName, FileOwner.Current, wanted);
        Plane = new ModelPlane(storeLimits);
        Store = new RuleStore(Plane, storeLimits ?? StoreLimits.Default, time ?? TimeProvider.System);
        foreach (string policy in new[] { "drop", "ignore" })
        {
            Directory.CreateDirectory(_folder[$"sets/{policy}"]);
        }

        var files = new SetDirectory(_folder["sets"], FileOwner.Current);
        Services = new ApiServices(Store, Clients, Plane, time ?? TimeProvider.System, logs ?? Log)
        {
            Limits = limits ?? HttpLimits.Default,
            SetFiles = files,
            Sets = new SetLoader(files, Store, TimeProvider.System, Log),
            Reload = (actor, _, _) =>
            {
                Reloads++;
                return Task.FromResult(new ReloadResult(actor != "couicctl", "as the test wants"));
            },
        };
        Router = ApiRouter.Create(Services);
        more?.Invoke(Router);
        Server = new HttpServer(Services.Limits, Router, loopTime ?? TimeProvider.System, Log.CreateLogger("api"), Services.Counters) { Tls = tls };
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        listener.Listen(1024);
        var network = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true, NoDelay = true };
        network.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        network.Listen(1024);
        Port = ((IPEndPoint)network.LocalEndPoint!).Port;
        Server.Start(listener, network);
    }

    /// <summary>Waits until it is so, for ten seconds at most.</summary>
    public static async Task WaitForAsync(Func<bool> condition)
    {
        for (int i = 0; i < 1000 && !condition(); i++)
        {
            await Task.Delay(10);
        }

        Assert.True(condition());
    }

    public string SocketPath => _folder["api.sock"];

    public ClientDirectory Clients { get; }

    public ModelPlane Plane { get; }

    public RuleStore Store { get; }

    public ApiServices Services { get; }

    public Router Router { get; }

    public HttpServer Server { get; }

    public LogBook Log { get; } = new();

    /// <summary>How often a reload was asked for.</summary>
    public int Reloads { get; private set; }

    public string Token(Group group = Group.Admin) => _clients[group].Token.ToString();

    public string Bearer(Group group = Group.Admin) => $"Authorization: Bearer {Token(group)}\r\n";

    public RawClient Connect() => new(SocketPath);

    /// <summary>The port of the server on all addresses of this machine.</summary>
    public int Port { get; }

    /// <param name="from">The client's address; each of 127.0.0.0/8 is one of this machine.</param>
    public RawClient ConnectFrom(string from) => new(new IPEndPoint(IPAddress.Loopback, Port), from: IPAddress.Parse(from));

    /// <summary>Sends one request on a new connection.</summary>
    public async Task<Answer> SendAsync(
        string method, string target, string? body = null, Group? group = Group.Admin, string? contentType = "application/json", string? token = null)
    {
        using RawClient client = Connect();
        await client.SendAsync(Request(method, target, body, group, contentType, token));
        Answer answer = await client.ReadAnswerAsync(method == "HEAD");
        OpenApi.Check(Router, method, target, answer);
        return answer;
    }

    /// <param name="token">Replaces that of the group.</param>
    public string Request(
        string method, string target, string? body = null, Group? group = Group.Admin, string? contentType = "application/json", string? token = null)
    {
        string type = body is null || contentType is null ? string.Empty : $"Content-Type: {contentType}\r\n";
        string length = body is null ? string.Empty : $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n";
        return $"{method} {target} HTTP/1.1\r\nHost: couic\r\n{(token is not null ? $"Authorization: Bearer {token}\r\n" : group is { } g ? Bearer(g) : string.Empty)}{type}{length}\r\n{body}";
    }

    /// <summary>Writes a set file without the API. Returns its path.</summary>
    public string WriteSet(Policy policy, string name, string text) => _folder.Write($"sets/{policy.Name()}/{name}.couic", text);

    public void Dispose()
    {
        Assert.True(Server.StopAsync(TimeSpan.FromSeconds(1)).Wait(TimeSpan.FromSeconds(10)));
        _folder.Dispose();
    }
}
