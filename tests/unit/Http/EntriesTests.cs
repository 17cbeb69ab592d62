using Couic.Access;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Http;

public sealed class EntriesTests : IDisposable
{
    private readonly ApiRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task AnEntryIsCreatedReadListedAndDeleted()
    {
        Answer created = await _rig.SendAsync("POST", "/v1/drop", """{"cidr":"192.0.2.77/24","tag":"scan","expiration":0}""");
        Assert.Equal(201, created.Status);
        Assert.Matches("""^\{"creation":\d+,"cidr":"192.0.2.0/24","tag":"scan","expiration":0\}$""", created.Body);
        Assert.Equal("application/json", created["content-type"]);
        Assert.NotNull(created["date"]);

        Answer read = await _rig.SendAsync("GET", "/v1/drop/192.0.2.9/24");
        Assert.Equal((200, created.Body), (read.Status, read.Body));
        Answer list = await _rig.SendAsync("GET", "/v1/drop");
        Assert.Equal((200, $"[{created.Body}]"), (list.Status, list.Body));

        Answer deleted = await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.0/24");
        Assert.Equal(204, deleted.Status);
        Assert.Null(deleted["content-length"]);
        Assert.NotNull(deleted["date"]);
        Assert.Equal("[]", (await _rig.SendAsync("GET", "/v1/drop")).Body);
        Assert.Equal(("not_found", "cidr=not_found"), (await _rig.SendAsync("GET", "/v1/drop/192.0.2.0/24")).Error);
    }
}
