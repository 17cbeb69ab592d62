using System.Net;
using System.Text;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class RipeStatTests : IDisposable
{
    private readonly CliRig _rig = new();
    private readonly HttpListener _ripe = new();
    private string _body = """{"status":"ok","data":{"prefixes":[{"prefix":"193.0.0.0/21","timelines":[]},{"prefix":"2001:67C:2e8::/48"}]}}""";
    private int _status = 200;
    private string? _asked;

    public RipeStatTests()
    {
        // A listener on a port of its own choosing does not exist; so one is looked for.
        for (int port = Random.Shared.Next(20_000, 60_000); ; port = Random.Shared.Next(20_000, 60_000))
        {
            try
            {
                _ripe.Prefixes.Clear();
                _ripe.Prefixes.Add($"http://127.0.0.1:{port}/");
                _ripe.Start();
                _rig.Environment["COUICCTL_RIPESTAT_URL"] = $"http://127.0.0.1:{port}/";
                break;
            }
            catch (HttpListenerException)
            {
                // Taken.
            }
        }

        _ripe.BeginGetContext(Serve, null);
        _rig.Answering(201, """{"name":"a","entries":["193.0.0.0/21","2001:67c:2e8::/48"]}""");
    }

    public void Dispose()
    {
        _ripe.Close();
        _rig.Dispose();
    }

    [Theory]
    [InlineData("3333")]
    [InlineData("AS3333")]
    [InlineData("as3333")]
    public void TheAnnouncedPrefixesBecomeTheSet(string asn)
    {
        CliResult result = _rig.Run($"sets create drop a --from-asn {asn}");
        Assert.Equal(new CliResult(0, "Set 'a' created with 2 entries\nNote: Run 'couicctl sets reload' to apply changes\n", ""), result);
        Assert.Equal("/data/announced-prefixes/data.json?resource=AS3333&sourceapp=couicctl", _asked);
        Assert.Equal("""POST /v1/sets/drop?guard=refuse {"name":"a","entries":["193.0.0.0/21","2001:67c:2e8::/48"]}""", _rig.Asked);
    }

    [Fact]
    public void TheConfigurationMayNameTheService()
    {
        File.AppendAllText(_rig.ConfigFile, $"ripestat_url = \"{_rig.Environment["COUICCTL_RIPESTAT_URL"]}\"\n");
        _rig.Environment.Clear();
        Assert.Equal(0, _rig.Run("sets create drop a --from-asn 3333").Status);
        Assert.NotNull(_asked);
    }

    [Fact]
    public void BadPrefixesAreNamedAndSkipped()
    {
        _body = """{"data":{"prefixes":[{"prefix":"10.0.0.0/33"},{"prefix":"193.0.0.0/21"},{"prefix":null}]}}""";
        CliResult result = _rig.Run("sets update drop a --from-asn 3333");
        Assert.Equal(0, result.Status);
        Assert.Equal("couicctl: note: skipped \"10.0.0.0/33\", which AS3333 announces: it is not a CIDR\ncouicctl: note: skipped \"null\", which AS3333 announces: it is not a CIDR\n", result.Error);
        Assert.Equal("""PUT /v1/sets/drop/a?guard=refuse {"name":"a","entries":["193.0.0.0/21"]}""", _rig.Asked);
    }

    [Fact]
    public void NoPrefixAtAllIsAnError()
    {
        _body = """{"data":{"prefixes":[]}}""";
        Fails("AS3333 announces no prefix (is the number right?)");
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("<html>")]
    [InlineData("{\"data\":{\"prefixes\":[1]}}")]
    public void AnotherAnswerIsAnError(string body)
    {
        _body = body;
        Fails($"the answer of {_rig.Environment["COUICCTL_RIPESTAT_URL"]} is not what RIPEstat's announced-prefixes service gives");
    }

    [Fact]
    public void AnErrorOfTheServiceIsAnError()
    {
        _status = 503;
        Fails($"RIPEstat at {new Uri(_rig.Environment["COUICCTL_RIPESTAT_URL"]).Authority} answered 503 for AS3333 (try again later)");
    }

    [Fact]
    public void AServiceThatIsNotThereIsAnError()
    {
        _ripe.Stop();
        Fails($"cannot reach RIPEstat at {new Uri(_rig.Environment["COUICCTL_RIPESTAT_URL"]).Authority}: connection refused");
    }

    [Fact]
    public void AnAddressThatIsNoUrlIsAnError()
    {
        _rig.Environment["COUICCTL_RIPESTAT_URL"] = "stat.ripe.net";
        Fails("the address of RIPEstat \"stat.ripe.net\" is not an http(s) URL (set by \"ripestat_url\" or COUICCTL_RIPESTAT_URL)");
    }

    private void Fails(string error)
    {
        Assert.Equal(new CliResult(1, "", $"couicctl: {error}\n"), _rig.Run("sets create drop a --from-asn 3333"));
        Assert.Empty(_rig.Daemon.Requests);
    }

    private void Serve(IAsyncResult result)
    {
        try
        {
            HttpListenerContext context = _ripe.EndGetContext(result);
            _asked = context.Request.RawUrl;
            context.Response.StatusCode = _status;
            context.Response.Close(Encoding.UTF8.GetBytes(_body), willBlock: true);
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
