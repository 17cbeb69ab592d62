using Couic.Http;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Http;

public sealed class GuardTests : IDisposable
{
    private const string Objection = "covers 192.0.2.1 (the default gateway)";
    private const string Entry = """{"cidr":"192.0.2.0/24","expiration":0}""";

    private bool _refuses;
    private readonly ApiRig _rig;

    public GuardTests() => _rig = new ApiRig(
        guard: network => network.Contains(Cidr.FromV4(0xc0000201)) ? new LockOut(Objection, _refuses) : null);

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task AnEntryThatMayLockOutIsMadeWithAWarning()
    {
        Answer answer = await _rig.SendAsync("POST", "/v1/drop", Entry);
        Assert.Equal((201, $"199 couic \"{Objection}\""), (answer.Status, answer["warning"]));
        Assert.True(_rig.Log.Has("entry_may_lock_out"));
        Assert.Null((await _rig.SendAsync("POST", "/v1/drop", """{"cidr":"198.51.100.0/24","expiration":0}"""))["warning"]);
        Assert.Null((await _rig.SendAsync("POST", "/v1/ignore", Entry))["warning"]);
    }

    [Theory]
    [InlineData("?guard=refuse", false, 422)]
    [InlineData("", true, 422)]
    [InlineData("?guard=refuse&force=true", true, 201)]
    public async Task ItIsRefusedWhereThatIsWantedUnlessForced(string query, bool configured, int status)
    {
        _refuses = configured;
        Answer answer = await _rig.SendAsync("POST", "/v1/drop" + query, Entry);
        Assert.Equal(status, answer.Status);
        Assert.True(status == 201 || answer.Error == ("invalid", "cidr=invalid"));
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/ignore" + query, Entry)).Status);
    }

    [Fact]
    public async Task BulkItemsAreGuardedToo()
    {
        Answer answer = await _rig.SendAsync("POST", "/v1/drop/bulk?guard=refuse", $"[{Entry},[\"198.51.100.0/24\",null,0]]");
        Assert.Equal(1, answer.Json.GetProperty("created").GetInt32());
        Assert.Contains(Objection, answer.Body, StringComparison.Ordinal);
        answer = await _rig.SendAsync("POST", "/v1/drop/bulk", $"[{Entry}]");
        Assert.Equal(1, answer.Json.GetProperty("created").GetInt32());
    }
}
