using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using Xunit;

namespace Couic.BrowserTests;

/// <summary>The page in a real browser, against the built daemon and real packets.</summary>
public sealed class PageTests(PageLab lab) : IClassFixture<PageLab>
{
    [Fact]
    public async Task AWrongToken_IsRefused_AndARightOneShowsTheOverview()
    {
        await using Tab tab = await lab.OpenAsync();
        foreach (string wrong in (string[])["0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3", "nonsense", "ümlaut"])
        {
            await tab.Page.GetByLabel("Token of a client").FillAsync(wrong);
            await tab.Page.Keyboard.PressAsync("Enter");
            await tab.TextAsync("#token-fault", "This token is unknown.");
        }

        await tab.SignInAsync(lab.Daemon.Token);
        await tab.TextAsync("#who", "couicctl (admin)");
        await tab.TextAsync("#interfaces", "cin filters (generic)");
        await tab.TextAsync("#tables", "of 262,144");
        Assert.Equal("", await tab.Page.GetByLabel("Token of a client", new() { Exact = true }).InputValueAsync());
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await tab.Page.GetByLabel("Token of a client").WaitForAsync();
        Assert.False(await tab.Page.Locator("nav").IsVisibleAsync());
    }

    [Fact]
    public async Task TheGraphMoves_WhenPacketsAreDropped_AndTheEventsShowTheRule()
    {
        await using Tab tab = await lab.OpenAsync();
        await tab.SignInAsync(lab.Daemon.Token);
        await tab.TextAsync("#dropped", "0");
        lab.Api.Add("drop", Lab.OutsideV4 + "/32", "graph");
        await tab.TextAsync("#events li", Lab.OutsideV4 + "/32 tag graph by couicctl");
        using var stop = new CancellationTokenSource();
        Task pinging = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                Shell.Run(lab.Lab.Outside, "ping", "-q", "-c", "20", "-i", "0.01", "-W", "0.1", Lab.InsideV4);
            }
        }, TestContext.Current.CancellationToken);
        await tab.Page.WaitForFunctionAsync("() => parseFloat(document.getElementById('dropped').textContent) > 0");
        await tab.Page.WaitForFunctionAsync(
            "() => new Set(document.querySelector('#graph-dropped polyline').getAttribute('points').split(' ').map(point => point.split(',')[1])).size > 1");
        if (Environment.GetEnvironmentVariable("COUIC_SCREENSHOTS") is { } folder)
        {
            await Task.Delay(20_000, TestContext.Current.CancellationToken);
            await tab.Page.SetViewportSizeAsync(1000, 760);
            await tab.Page.ScreenshotAsync(new() { Path = Path.Combine(folder, "page-overview.png") });
        }

        await stop.CancelAsync();
        await pinging;
    }

    [Fact]
    public async Task TheSearch_FindsTheCoveringNetwork_AndIgnoreWins()
    {
        await using Tab tab = await lab.OpenAsync(prepare: () => lab.Api.Add("drop", "203.0.113.0/24", "net"));
        await tab.SignInAsync(lab.Daemon.Token);
        await tab.GoToAsync("Rules");
        await WhyAsync("203.0.113.77", "203.0.113.77 is dropped by 203.0.113.0/24.");
        await tab.TextAsync("#covering td", "203.0.113.0/24");
        lab.Api.Add("ignore", "203.0.113.77/32", "office");
        await WhyAsync("203.0.113.77", "203.0.113.77 passes: 203.0.113.77/32 is in ignore.");
        await WhyAsync("192.0.2.200", "192.0.2.200 passes: no rule covers it.");
        await WhyAsync("nonsense", "match: not an IPv4 or IPv6 address");

        async Task WhyAsync(string address, string verdict)
        {
            await tab.Page.GetByLabel("What happens to address").FillAsync(address);
            await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Explain" }).ClickAsync();
            await tab.TextAsync("#verdict", verdict);
        }
    }

    [Fact]
    public async Task OnesOwnAddress_IsRefused_AndCanBeForced()
    {
        await using Tab tab = await lab.OpenAsync();
        await tab.SignInAsync(lab.Daemon.Token);
        await tab.GoToAsync("Rules");
        await tab.Page.GetByText("Add a rule").ClickAsync();
        await tab.Page.GetByLabel("Network or address").FillAsync("127.0.0.1");
        await tab.Page.Locator("#add-form button").ClickAsync();
        await tab.TextAsync("#add-fault", "covers 127.0.0.1");
        lab.Api.Get("/v1/drop/127.0.0.1/32").Expect(404);
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Add it nevertheless" }).ClickAsync();
        await tab.TextAsync("#count", "127.0.0.1/32 is in drop.");
        lab.Api.Get("/v1/drop/127.0.0.1/32").Expect(200);
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Remove 127.0.0.1/32 from drop" }).ClickAsync();
        await tab.Page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Remove" }).ClickAsync();
        await tab.TextAsync("#count", "127.0.0.1/32 is removed.");
        lab.Api.Get("/v1/drop/127.0.0.1/32").Expect(404);
        await tab.Page.GetByLabel("Network or address").FillAsync("300.1.2.3/32");
        await tab.Page.Locator("#add-form button").ClickAsync();
        await tab.TextAsync("#add-fault", "address");
        Assert.False(await tab.Page.Locator("#add-anyway").IsVisibleAsync());
    }

    [Fact]
    public async Task ATag_IsRemovedWithAllItsRules_AfterAQuestion()
    {
        await using Tab tab = await lab.OpenAsync(prepare: () =>
        {
            for (int i = 1; i <= 5; i++)
            {
                lab.Api.Add("drop", $"198.51.100.{i}/32", i < 5 ? "scan" : "other");
            }
        });
        await tab.SignInAsync(lab.Daemon.Token);
        await tab.GoToAsync("Rules");
        await tab.TextAsync("#count", "5 rules.");
        await tab.Page.GetByText("Remove a tag").ClickAsync();
        await tab.Page.Locator("#gone-tag").FillAsync("scan");
        await tab.Page.Locator("#tag-form button").ClickAsync();
        await tab.Page.Keyboard.PressAsync("Escape"); // the question is refused
        Assert.Equal(5, lab.Api.Get("/v1/drop").Json.GetArrayLength());
        await tab.Page.Locator("#tag-form button").ClickAsync();
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Remove all", Exact = true }).ClickAsync();
        await tab.TextAsync("#count", "4 rules are removed.");
        Assert.Equal(1, await tab.Page.Locator("#list tbody tr").CountAsync());
        await tab.Page.GetByLabel("Added by").FillAsync("nobody");
        await tab.Page.Locator("#filter button").ClickAsync();
        await tab.TextAsync("#count", "No such rule.");
    }

    [Fact]
    public async Task AnAccountThatMayOnlyRead_SeesNoButtons()
    {
        await using Tab tab = await lab.OpenAsync(prepare: () => lab.Api.Add("drop", "198.51.100.9/32", "ro"));
        await tab.SignInAsync(lab.Reader);
        await tab.TextAsync("#no-graphs", "may not read statistics");
        Assert.False(await tab.Page.Locator("nav a[href='#clients']").IsVisibleAsync());
        await tab.GoToAsync("Rules");
        await tab.TextAsync("#list td", "198.51.100.9/32");
        Assert.Equal(["Sign out", "Explain", "Show"], await VisibleButtonsAsync());
        await tab.GoToAsync("Sets");
        await tab.TextAsync("#set-list", "There are no set files.");
        Assert.Equal(["Sign out"], await VisibleButtonsAsync());

        async Task<IReadOnlyList<string>> VisibleButtonsAsync() =>
            await tab.Page.Locator("button:visible").AllInnerTextsAsync();
    }

    [Fact]
    public async Task AFullTable_IsShownInPages_WithoutFreezing()
    {
        const int Rules = 262_144;
        var body = new StringBuilder(Rules * 60);
        for (int i = 0; i < Rules; i++)
        {
            body.Append(CultureInfo.InvariantCulture, $"{{\"cidr\":\"100.{64 + (i >> 16)}.{(i >> 8) & 255}.{i & 255}/32\",\"tag\":\"full\",\"expiration\":0}}\n");
        }

        await using Tab tab = await lab.OpenAsync(prepare: () => lab.Api.Post("/v1/drop/bulk", body.ToString(), "application/x-ndjson").Expect(200));
        await tab.SignInAsync(lab.Daemon.Token);
        await tab.Page.EvaluateAsync("() => { window.longest = 0; new PerformanceObserver(list => list.getEntries().forEach(task => { longest = Math.max(longest, task.duration); })).observe({ type: 'longtask' }); }");
        await tab.GoToAsync("Rules");
        await tab.TextAsync("#count", "100 rules shown; there are more.");
        await tab.Page.Locator("#more").ClickAsync();
        await tab.TextAsync("#count", "200 rules shown");
        await tab.Page.GetByLabel("Order").SelectOptionAsync("packets");
        await tab.Page.Locator("#filter button").ClickAsync();
        await tab.TextAsync("#count", "100 rules shown");
        Assert.Equal(100, await tab.Page.Locator("#list tbody tr").CountAsync());

        // Building all rows at once takes tens of seconds; a busy machine may hold up a hundred rows for a while.
        Assert.InRange(await tab.Page.EvaluateAsync<double>("() => longest"), 0, 3000);
        lab.Api.Delete("/v1/drop/tag/full").Expect(200);
    }

    [Fact]
    public async Task ADaemonThatRestarts_IsNoticed_AndThePageContinues()
    {
        await using Tab tab = await lab.OpenAsync();
        await tab.SignInAsync(lab.Daemon.Token);
        await tab.Page.WaitForFunctionAsync("() => document.getElementById('dropped').textContent !== '–'");
        await lab.RestartAsync(() => tab.TextAsync("#state", "The connection to the daemon is lost; trying again."));
        await tab.Page.WaitForFunctionAsync("() => document.getElementById('state').textContent === ''");
        await tab.TextAsync("#events li", "the daemon has restarted");
        lab.Api.Add("drop", "198.51.100.20/32", "again");
        await tab.TextAsync("#events li", "198.51.100.20/32 tag again");
    }

    [Fact]
    public async Task EverythingWorksByKeyboard()
    {
        await using Tab tab = await lab.OpenAsync();
        IKeyboard keys = tab.Page.Keyboard;
        await keys.TypeAsync(lab.Daemon.Token); // the field has the focus
        await keys.PressAsync("Enter");
        await tab.TextAsync("#health", "Everything works.");
        await TabToAsync("a[href='#rules']");
        await keys.PressAsync("Enter");
        await tab.TextAsync("#count", "rule");
        await TabToAsync("#add summary");
        await keys.PressAsync("Enter");
        await TabToAsync("#new-cidr");
        await keys.TypeAsync("192.0.2.99");
        await keys.PressAsync("Enter");
        await tab.TextAsync("#count", "192.0.2.99/32 is in drop.");
        await TabToAsync("[aria-label='Remove 192.0.2.99/32 from drop']");
        await keys.PressAsync("Enter");
        await TabToAsync("#ask-yes");
        await keys.PressAsync("Enter");
        await tab.TextAsync("#count", "192.0.2.99/32 is removed.");

        async Task TabToAsync(string selector)
        {
            for (int i = 0; i < 60; i++)
            {
                await keys.PressAsync("Tab");
                if (await tab.Page.EvaluateAsync<bool>("selector => document.activeElement.matches(selector)", selector))
                {
                    return;
                }
            }

            Assert.Fail($"no way to {selector} by the tabulator");
        }
    }

    [Fact]
    public async Task HostileTexts_AreTextAndNothingElse()
    {
        string[] reasons = ["<script>alert(1)</script><img src=x onerror=alert(2)>", "evil\u202egnp.exe\u2066", new string('w', 256)];
        await using Tab tab = await lab.OpenAsync(new() { ViewportSize = new() { Width = 360, Height = 740 } }, () =>
        {
            for (int i = 0; i < reasons.Length; i++)
            {
                lab.Api.Post("/v1/drop", JsonSerializer.Serialize(new { cidr = $"198.51.100.{40 + i}/32", tag = new string('t', 64), expiration = 0, reason = reasons[i] })).Expect(201);
            }
        });
        await tab.SignInAsync(lab.Daemon.Token);
        lab.Api.Remove("drop", "198.51.100.40/32"); // an event with the reason
        await tab.TextAsync("#events li", "<script>alert(1)</script>");
        await tab.GoToAsync("Rules");
        await tab.TextAsync("#list td", "evil\\u202egnp.exe\\u2066");
        await tab.TextAsync("#list td", reasons[2]);
        Assert.Equal(1, await tab.Page.Locator("script").CountAsync());
        Assert.Equal(1, await tab.Page.Locator("img").CountAsync());
        Assert.InRange(await tab.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"), 1, 360);
    }

    [Theory]
    [InlineData(1000, false)]
    [InlineData(360, true)]
    public async Task EachPage_IsAccessible_AndFits(int width, bool isDark)
    {
        BrowserNewContextOptions options = new() { ViewportSize = new() { Width = width, Height = 760 }, ColorScheme = isDark ? ColorScheme.Dark : ColorScheme.Light };
        await using Tab tab = await lab.OpenAsync(options, () => lab.Api.Add("drop", "198.51.100.60/32", "axe"));
        lab.Api.Post("/v1/sets/drop", """{"name":"list","entries":["203.0.113.0/24"]}""").Expect(201);
        await CheckAsync("sign-in");
        await tab.SignInAsync(lab.Daemon.Token);
        lab.Api.Add("drop", "198.51.100.61/32", "axe");
        await tab.TextAsync("#events li", "198.51.100.61/32");
        await tab.TextAsync("#interfaces", "filters");
        await CheckAsync("overview");
        await tab.GoToAsync("Rules");
        await tab.TextAsync("#list td", "198.51.100.60/32");
        await tab.Page.GetByText("Add a rule").ClickAsync();
        await tab.Page.GetByText("Remove a tag").ClickAsync();
        await CheckAsync("rules");
        if (width == 360 && Environment.GetEnvironmentVariable("COUIC_SCREENSHOTS") is { } folder)
        {
            await tab.Page.GetByText("Remove a tag").ClickAsync();
            await tab.Page.ScreenshotAsync(new() { Path = Path.Combine(folder, "page-rules.png") });
        }

        await tab.GoToAsync("Sets");
        await tab.TextAsync("#set-list td", "list");
        await CheckAsync("sets", isDark);
        await tab.GoToAsync("Clients");
        await tab.TextAsync("#client-list td", "reader");
        await CheckAsync("clients", isDark);
        double lightness = await tab.Page.EvaluateAsync<double>("() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765");
        Assert.Equal(isDark, lightness < 0.3);
        lab.Api.Delete("/v1/sets/drop/list").Expect(200);

        // A run takes seconds on a busy machine: what the second width shows in the same elements is only measured.
        async Task CheckAsync(string place, bool onlyFits = false)
        {
            AxeResultItem[] violations = onlyFits ? [] : (await tab.Page.RunAxe()).Violations;
            Assert.True(violations.Length == 0,
                $"{place}: " + string.Join("; ", violations.Select(one => $"{one.Id}: {one.Help}: {string.Join(", ", one.Nodes.Select(node => node.Html))}")));
            Assert.InRange(await tab.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"), 1, width);
        }
    }
}
