using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Microsoft.Playwright;
using Xunit;

namespace Couic.BrowserTests;

/// <summary>A daemon that serves its page on the loopback interface of a lab, and Debian's Chromium in the same namespace.</summary>
public sealed class PageLab : IAsyncLifetime
{
    public const string Origin = "http://127.0.0.1:2900";

    private const string Chromium = "/usr/bin/chromium";

    /// <summary>No request that the page does not make.</summary>
    private static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ];

    private readonly Lab _lab = new();
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public PageLab() => Daemon = StartDaemon();

    public Lab Lab => _lab;

    public Daemon Daemon { get; private set; }

    public ApiClient Api => Daemon.Api;

    /// <summary>Token of a client that may only read.</summary>
    public string Reader { get; private set; } = string.Empty;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(File.Exists(Chromium), "no Chromium (apt-get install chromium)");
        Reader = Api.Post("/v1/client", """{"name":"reader","group":"clientro"}""").Expect(201).Json.GetProperty("token").GetString()!;
        string wrapper = _lab.Scratch.File("chromium", $"#!/bin/sh\nexec nsenter --net={_lab.Inside.Path} {Chromium} \"$@\"\n", (UnixFileMode)0b111_101_101);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = wrapper, Headless = true, Args = Arguments });
    }

    /// <summary>Removes what an earlier test may have left, and opens a fresh profile with one tab.</summary>
    /// <param name="prepare">Adds what the test needs.</param>
    public async Task<Tab> OpenAsync(BrowserNewContextOptions? options = null, Action? prepare = null)
    {
        foreach (string policy in (string[])["drop", "ignore"])
        {
            foreach (JsonElement rule in Api.Get($"/v1/{policy}?limit=1000").Expect(200).Json.EnumerateArray())
            {
                Api.Remove(policy, rule.GetProperty("cidr").GetString()!);
            }
        }

        prepare?.Invoke();
        return await Tab.OpenAsync(_browser!, options);
    }

    /// <summary>Kills the daemon, does something, and starts it again with the same folders.</summary>
    public async Task RestartAsync(Func<Task> between)
    {
        Daemon.Process.Kill();
        Daemon.Process.WaitForExit();
        Daemon.Dispose();
        await between();
        Daemon = StartDaemon();
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
        Daemon.Dispose();
        _lab.Dispose();
    }

    private Daemon StartDaemon() => Daemon.Start(_lab, new DaemonOptions { Tables = "listen = [\"127.0.0.1:2900\"]\n" });
}

/// <summary>A tab, and everything that it did: a request to elsewhere, a violation of the policy or an error of a script fails its test.</summary>
public sealed class Tab : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly List<string> _faults = [];

    private Tab(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
        page.Request += (_, request) => Note(request.Url.StartsWith(PageLab.Origin + "/", StringComparison.Ordinal) ? null : $"request to {request.Url}");
        page.PageError += (_, error) => Note($"error: {error}");
        page.Dialog += (_, dialog) => Note($"dialog: {dialog.Message}");
        page.Console += (_, line) => Note(line.Text.Contains("Content Security Policy", StringComparison.Ordinal) || line.Text.StartsWith("csp: ", StringComparison.Ordinal) ? line.Text : null);
    }

    public IPage Page { get; }

    public static async Task<Tab> OpenAsync(IBrowser browser, BrowserNewContextOptions? options)
    {
        IBrowserContext context = await browser.NewContextAsync(options);
        context.SetDefaultTimeout(15_000);
        var tab = new Tab(context, await context.NewPageAsync());
        await tab.Page.AddInitScriptAsync("addEventListener('securitypolicyviolation', e => console.log('csp: ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))");
        await tab.Page.GotoAsync(PageLab.Origin + "/");
        return tab;
    }

    public async Task SignInAsync(string token)
    {
        await Page.GetByLabel("Token of a client").FillAsync(token);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Page.Locator("#overview h2").WaitForAsync();
    }

    /// <summary>Opens one of the pages by its link.</summary>
    public async Task GoToAsync(string name)
    {
        await Page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true }).ClickAsync();
        await Page.Locator($"#{name.ToLowerInvariant()} h2").WaitForAsync();
    }

    /// <summary>Waits until an element has a text.</summary>
    public Task TextAsync(string selector, string text) =>
        Page.Locator(selector).Filter(new() { HasText = text }).First.WaitForAsync();

    public async ValueTask DisposeAsync()
    {
        string kept = await Page.EvaluateAsync<string>(
            "async () => JSON.stringify([localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length, (await caches.keys()).length])");
        string address = Page.Url;
        await _context.DisposeAsync();
        lock (_faults)
        {
            Assert.Empty(_faults);
        }

        Assert.Equal("[0,0,\"\",0,0]", kept);
        Assert.DoesNotMatch("[0-9a-f]{8}-[0-9a-f]{4}", address);
    }

    private void Note(string? fault)
    {
        if (fault is not null)
        {
            lock (_faults)
            {
                _faults.Add(fault);
            }
        }
    }
}
