using System.Text;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Api.Events;
using Couic.Http;
using Couic.Store;
using Couic.Tests.Store;
using Xunit;

namespace Couic.Tests.Api.Events;

/// <summary>The stream of events, as its clients see it.</summary>
public sealed class EventsTests
{
    private static readonly string[] Rule = ["type", "action", "cause", "by", "policy", "cidr", "tag", "expiration"];

    [Fact]
    public async Task EachChangeOfARule_IsAnEvent_WithItsCauseAndItsActor()
    {
        using var rig = new ApiRig();
        using EventReader reader = await EventReader.ListenAsync(rig);
        await rig.SendAsync("POST", "/v1/drop", """{"cidr":"192.0.2.7/32","tag":"ssh","expiration":0}""", Group.ClientRw);
        Assert.Equal("rule created api clientrw drop 192.0.2.7/32 ssh 0", await reader.NextAsync(Rule));
        await rig.SendAsync("POST", "/v1/drop?on_conflict=update", """{"cidr":"192.0.2.7/32","tag":null,"expiration":4000000000,"reason":"a \"quote\""}""");
        Assert.Equal("rule updated api admin drop 192.0.2.7/32  4000000000 a \"quote\"", await reader.NextAsync([.. Rule, "reason"]));
        await rig.SendAsync("DELETE", "/v1/drop/192.0.2.7/32", group: Group.ClientRw);
        Assert.Equal("rule deleted api clientrw drop 192.0.2.7/32  4000000000", await reader.NextAsync(Rule));
        await rig.SendAsync("POST", "/v1/ignore/bulk", """[{"cidr":"2001:db8::/32","tag":"a","expiration":0},{"cidr":"10.0.0.0/8","tag":"a","expiration":0}]""");
        Assert.Equal("rule created bulk admin ignore 2001:db8::/32 a 0", await reader.NextAsync(Rule));
        Assert.Equal("rule created bulk admin ignore 10.0.0.0/8 a 0", await reader.NextAsync(Rule));
        await rig.SendAsync("DELETE", "/v1/ignore/tag/a");
        Assert.Equal("deleted bulk admin", await reader.NextAsync("action", "cause", "by"));
        Assert.Equal("deleted bulk admin", await reader.NextAsync("action", "cause", "by"));
        rig.Store.Add(Policy.Drop, StoreRig.Net("198.51.100.1/32"), "p"u8, 0, ConflictMode.Update, new ChangeContext(ChangeOrigin.Peer, "node2"u8), out _);
        Assert.Equal("rule created peer node2 drop 198.51.100.1/32 p 0", await reader.NextAsync(Rule));
        rig.Store.Remove(Policy.Drop, StoreRig.Net("198.51.100.1/32"), new ChangeContext(ChangeOrigin.Peer, "node3"u8), out _);
        Assert.Equal("rule deleted peer node3 drop 198.51.100.1/32 p 0", await reader.NextAsync(Rule));
    }

    [Fact]
    public async Task AnExpiry_NamesItsNetwork()
    {
        var clock = new Fakes.ManualClock();
        using var rig = new ApiRig(time: clock, loopTime: TimeProvider.System);
        using EventReader reader = await EventReader.ListenAsync(rig);
        ulong soon = (ulong)clock.GetUtcNow().ToUnixTimeSeconds() + 10;
        await rig.SendAsync("POST", "/v1/drop", $$"""{"cidr":"192.0.2.7/32","tag":"ssh","expiration":{{soon}}}""");
        Assert.Equal("created", await reader.NextAsync("action"));
        clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(1, rig.Store.Expire());
        Assert.Equal($"rule expired expiry  drop 192.0.2.7/32 ssh {soon}", await reader.NextAsync(Rule));
    }

    [Fact]
    public async Task SetsAndClients_AreEvents()
    {
        using var rig = new ApiRig();
        using EventReader reader = await EventReader.ListenAsync(rig);
        await rig.SendAsync("POST", "/v1/sets/drop", """{"name":"bad","entries":["203.0.113.0/24"]}""");
        Assert.Equal("set created api admin drop bad 1", await reader.NextAsync("type", "action", "cause", "by", "policy", "name", "entries"));
        await rig.SendAsync("POST", "/v1/sets/reload");
        Assert.Equal("rule created set bad.couic drop 203.0.113.0/24 bad.couic 0", await reader.NextAsync(Rule));
        Assert.Equal("set reloaded admin drop 1 0", await reader.NextAsync("type", "action", "by", "policy", "added", "removed"));
        Assert.Equal("set reloaded admin ignore 0 0", await reader.NextAsync("type", "action", "by", "policy", "added", "removed"));
        await rig.SendAsync("POST", "/v1/client", """{"name":"fail2ban","group":"clientrw"}""");
        Assert.Equal("client created api admin fail2ban clientrw", await reader.NextAsync("type", "action", "cause", "by", "name", "group"));
        await rig.SendAsync("DELETE", "/v1/client/fail2ban");
        Assert.Equal("client deleted api admin fail2ban -", await reader.NextAsync("type", "action", "cause", "by", "name", "group"));
    }

    [Fact]
    public async Task ServerSentEvents_HaveIdTypeAndObject()
    {
        using var rig = new ApiRig();
        using EventReader reader = await EventReader.OpenAsync(rig, isLines: false);
        Assert.Contains("content-type: text/event-stream\n", reader.Head, StringComparison.Ordinal);
        Assert.Contains("cache-control: no-store\n", reader.Head, StringComparison.Ordinal);
        Assert.DoesNotContain("content-length", reader.Head, StringComparison.Ordinal);
        string first = (await reader.ReadLineAsync())!;
        Assert.Equal("event: connected", await reader.ReadLineAsync());
        Assert.StartsWith("""data: {"id":""", await reader.ReadLineAsync(), StringComparison.Ordinal);
        Assert.Equal(string.Empty, await reader.ReadLineAsync());
        await rig.SendAsync("POST", "/v1/drop", """{"cidr":"192.0.2.7/32","tag":"ssh","expiration":0}""");
        string id = (await reader.ReadLineAsync())!;
        Assert.Equal(first.Replace("-0", "-1", StringComparison.Ordinal), id);
        Assert.Equal("event: rule", await reader.ReadLineAsync());
        JsonElement data = JsonDocument.Parse((await reader.ReadLineAsync())!["data: ".Length..]).RootElement;
        Assert.Equal("192.0.2.7/32", data.GetProperty("cidr").GetString());
        Assert.Equal(id, $"id: {data.GetProperty("id").GetString()}");
        Assert.Equal(string.Empty, await reader.ReadLineAsync());
    }

    [Theory]
    [InlineData("?policy=ignore", "10.0.0.1/32")]
    [InlineData("?tag=scan*", "10.0.0.2/32")]
    [InlineData("?tag=no,scan-1", "10.0.0.2/32")]
    [InlineData("?tag=", "10.0.0.3/32")]
    [InlineData("?type=client,set", "zoe")]
    [InlineData("?policy=drop&tag=scan-1", "10.0.0.2/32")]
    public async Task Filters_LetOnlyWhatMatchesPass(string query, string expected)
    {
        using var rig = new ApiRig();
        using EventReader reader = await EventReader.ListenAsync(rig, query);
        await rig.SendAsync("POST", "/v1/drop", """{"cidr":"10.0.0.9/32","tag":"other","expiration":0}""");
        await rig.SendAsync("POST", "/v1/ignore", """{"cidr":"10.0.0.1/32","tag":"other","expiration":0}""");
        await rig.SendAsync("POST", "/v1/drop", """{"cidr":"10.0.0.2/32","tag":"scan-1","expiration":0}""");
        await rig.SendAsync("POST", "/v1/drop", """{"cidr":"10.0.0.3/32","tag":null,"expiration":0}""");
        await rig.SendAsync("POST", "/v1/client", """{"name":"zoe","group":"clientro"}""");
        JsonElement first = await reader.NextAsync();
        Assert.Equal(expected, first.GetProperty(first.GetProperty("type").GetString() == "rule" ? "cidr" : "name").GetString());
    }

    [Theory]
    [InlineData("?policy=x", "policy=invalid")]
    [InlineData("?type=rule,x", "type=invalid")]
    [InlineData("?type=", "type=invalid")]
    public async Task AnUnknownFilter_Is400(string query, string field)
    {
        using var rig = new ApiRig();
        Answer answer = await rig.SendAsync("GET", "/v1/events" + query);
        Assert.Equal((400, ("bad_request", field)), (answer.Status, answer.Error));
        Assert.Equal(0, rig.Services.Events.ListenerCount);
    }

    [Theory]
    [InlineData(Group.Admin, "rule,set,client,interface,peer")]
    [InlineData(Group.ClientRw, "rule,set,interface")]
    [InlineData(Group.ClientRo, "rule,set,interface")]
    [InlineData(Group.Monitoring, "interface,peer")]
    [InlineData(Group.Peering, null)]
    public async Task AGroup_SeesTheTypesThatItMayRead(Group group, string? seen)
    {
        using var rig = new ApiRig();
        using EventReader reader = await EventReader.OpenAsync(rig, group: group);
        Assert.Equal(seen is null ? 401 : 200, reader.Status);
        if (seen is null)
        {
            return;
        }

        Assert.Equal(seen, string.Join(',', (await reader.NextAsync()).GetProperty("types").EnumerateArray().Select(type => type.GetString())));
        foreach (EventType type in EventWords.Types)
        {
            string word = Encoding.ASCII.GetString(type.Word());
            using EventReader one = await EventReader.OpenAsync(rig, $"?type={word}", group);
            Assert.Equal(seen.Split(',').Contains(word) ? 200 : 401, one.Status);
        }

        rig.Services.Events.ClientChanged(EventAction.Created, "secret", "admin", "admin");
        rig.Store.Add(Policy.Drop, StoreRig.Net("192.0.2.1/32"), default, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "x"u8), out _);
        rig.Services.Events.StateChanged(EventType.Interface, "eth0", "missing", "no such interface");
        Assert.Equal(seen.Split(',').First(type => type is "rule" or "client" or "interface") switch { "rule" when group == Group.Admin => "client", var type => type },
            await reader.NextAsync("type"));
    }

    [Fact]
    public async Task LastEventId_ResumesWithoutALoss()
    {
        using var rig = new ApiRig();
        using EventReader before = await EventReader.ListenAsync(rig);
        Add(rig, 0, 3);
        string id = await before.NextAsync("id");
        before.Dispose();
        Add(rig, 3, 6);
        using EventReader after = await EventReader.ListenAsync(rig, lastId: id);
        for (int i = 1; i < 6; i++)
        {
            Assert.Equal(Address(i), await after.NextAsync("cidr"));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("abc-7")]
    [InlineData("x")]
    public async Task AnIdOfAnotherDaemon_IsAnUnknownLoss(string id)
    {
        using var rig = new ApiRig();
        using EventReader reader = await EventReader.ListenAsync(rig, lastId: id);
        if (id.Length > 0)
        {
            JsonElement lost = await reader.NextAsync();
            Assert.Equal(("lost", JsonValueKind.Null), (lost.GetProperty("type").GetString(), lost.GetProperty("lost").ValueKind));
        }

        Add(rig, 0, 1);
        Assert.Equal(Address(0), await reader.NextAsync("cidr"));
    }

    [Fact]
    public async Task WhatTheRingNoLongerHas_IsCountedAsLost()
    {
        using var rig = new ApiRig();
        rig.Plane.Checks = false;
        using EventReader before = await EventReader.ListenAsync(rig);
        Add(rig, 0, 1);
        string id = await before.NextAsync("id");
        Add(rig, 1, EventHub.Capacity + 101);
        using EventReader after = await EventReader.ListenAsync(rig, lastId: id);
        Assert.Equal("lost 100", await after.NextAsync("type", "lost"));
        for (int i = 101; i < EventHub.Capacity + 101; i++)
        {
            Assert.Equal(Address(i), await after.NextAsync("cidr"));
        }
    }

    [Fact]
    public async Task ASlowReader_LosesEvents_IsToldHowMany_AndHoldsUpNoOther()
    {
        const int Count = 3 * EventHub.Capacity;
        using var rig = new ApiRig();
        rig.Plane.Checks = false;
        using EventReader slow = await EventReader.ListenAsync(rig);
        using EventReader good = await EventReader.ListenAsync(rig);
        Task<int> reading = Task.Run(() => CountAsync(good, Count));
        for (int i = 0; i < Count; i += 4096)
        {
            Add(rig, i, i + 4096);
            await ApiRig.WaitForAsync(() => rig.Services.Events.Lost > 0 || reading.IsCompleted || rig.Services.Events.Count == i + 4096);
        }

        Assert.Equal(Count, await reading);
        Assert.Equal(Count, await CountAsync(slow, Count));
        Assert.True(rig.Services.Events.Lost > 0);
    }

    [Fact]
    public async Task AClientThatIsDeleted_HearsNoMore()
    {
        using var rig = new ApiRig();
        Assert.Equal(ClientOutcome.Ok, rig.Clients.Create("gone", Group.ClientRo, out Client? client));
        using RawClient raw = rig.Connect();
        await raw.SendAsync($"GET /v1/events HTTP/1.1\r\nAuthorization: Bearer {client!.Token}\r\n\r\n");
        await ApiRig.WaitForAsync(() => rig.Services.Events.ListenerCount == 1);
        Assert.Equal(204, (await rig.SendAsync("DELETE", "/v1/client/gone")).Status);
        await ApiRig.WaitForAsync(() => rig.Services.Events.ListenerCount == 0 && rig.Server.ConnectionCount <= 1);
    }

    [Fact]
    public async Task ListenersAreBoundedPerClient()
    {
        using var rig = new ApiRig();
        var readers = new List<EventReader>();
        for (int i = 0; i < EventHub.MaxPerClient; i++)
        {
            readers.Add(await EventReader.ListenAsync(rig, group: Group.ClientRo));
        }

        Answer answer = await rig.SendAsync("GET", "/v1/events", group: Group.ClientRo);
        Assert.Equal((409, "conflict"), (answer.Status, answer.Error.Code));
        using (await EventReader.ListenAsync(rig, group: Group.ClientRw))
        {
        }

        readers[0].Dispose();
        await ApiRig.WaitForAsync(() => rig.Services.Events.ListenerCount == EventHub.MaxPerClient - 1);
        readers[0] = await EventReader.ListenAsync(rig, group: Group.ClientRo);
        Add(rig, 0, 1);
        foreach (EventReader reader in readers)
        {
            Assert.Equal(Address(0), await reader.NextAsync("cidr"));
            reader.Dispose();
        }
    }

    [Fact]
    public async Task AnIdleStream_OutlivesEveryTimeout_AndEndsWithTheServer()
    {
        var brief = new HttpLimits
        {
            HeaderTimeout = TimeSpan.FromMilliseconds(300),
            KeepAliveTimeout = TimeSpan.FromMilliseconds(300),
            RateGrace = TimeSpan.FromMilliseconds(300),
            StreamStallTimeout = TimeSpan.FromMilliseconds(300),
        };
        using var rig = new ApiRig(brief);
        using EventReader reader = await EventReader.ListenAsync(rig);
        using (RawClient other = rig.Connect())
        {
            await other.SendAsync("GET /v1/openapi.json HTTP/1.1\r\n\r\n");
            await other.ReadAnswerAsync();
            Assert.True(await other.IsClosedAsync()); // the same time-outs end an idle connection
        }

        await Task.Delay(600, TestContext.Current.CancellationToken);
        Add(rig, 0, 1);
        Assert.Equal(Address(0), await reader.NextAsync("cidr"));
        Task stop = rig.Server.StopAsync(TimeSpan.FromSeconds(20));
        Assert.Null(await reader.ReadLineAsync());
        await stop.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task AReaderThatStandsStill_IsClosed()
    {
        using var rig = new ApiRig(new HttpLimits { StreamStallTimeout = TimeSpan.FromMilliseconds(500) });
        rig.Plane.Checks = false;
        using EventReader reader = await EventReader.OpenAsync(rig);
        Add(rig, 0, 20_000);
        await ApiRig.WaitForAsync(() => rig.Services.Events.ListenerCount == 0);
    }

    [Fact]
    public async Task HeadOfTheStream_HasNoBody_AndEnds()
    {
        using var rig = new ApiRig();
        using EventReader reader = await EventReader.OpenAsync(rig, method: "HEAD");
        Assert.Equal(200, reader.Status);
        Assert.Null(await reader.ReadLineAsync());
        Assert.Equal(0, rig.Services.Events.ListenerCount);
    }

    [Fact]
    public void WithoutAListener_NothingIsKept()
    {
        using var rig = new ApiRig();
        Add(rig, 0, 10);
        Assert.Equal(0, rig.Services.Events.Count);
    }

    private static void Add(ApiRig rig, int from, int to)
    {
        var context = new ChangeContext(ChangeOrigin.Api, "tester"u8);
        for (int i = from; i < to; i++)
        {
            Assert.Equal(StoreOutcome.Created, rig.Store.Add(Policy.Drop, Cidr.FromV4(0x0a000000u + (uint)i), default, 0, ConflictMode.Refuse, context, out _));
        }
    }

    private static string Address(int i) => Cidr.FromV4(0x0a000000u + (uint)i).ToString();

    /// <summary>Reads until events and losses add up to a number; the networks have to be in order.</summary>
    private static async Task<int> CountAsync(EventReader reader, int count)
    {
        int next = 0;
        while (next < count)
        {
            JsonElement one = await reader.NextAsync();
            if (one.GetProperty("type").GetString() == "lost")
            {
                next += one.GetProperty("lost").GetInt32();
            }
            else
            {
                Assert.Equal(Address(next++), one.GetProperty("cidr").GetString());
            }
        }

        return next;
    }
}
